"""What commands print on a terminal: texts of customers and models change neither its look nor its order."""

from rich.table import Table

from arf_programs.cli.session import print_lines, print_table


def test_a_printed_line_obeys_no_text(capsys):
    print_lines("\x1b[31mred\x1b[0m [bold]x[/bold] [/y] :warning: \u202eevil\u2066 at 10:30 שלום")
    shown = capsys.readouterr().out
    assert shown == "\ufffd[31mred\ufffd[0m [bold]x[/bold] [/y] :warning: \ufffdevil\ufffd at 10:30 שלום\n"


def test_names_in_a_table_are_no_markup(capsys):
    table = Table("pattern", title="runs/[/final] :key:")
    table.add_row("[/lost] [red]amount :bomb:")
    print_table(table)
    shown = capsys.readouterr().out
    assert "runs/[/final] :key:" in shown and "[/lost] [red]amount :bomb:" in shown

"""The HTML page of a report: its tables, plots and browsers, and the templates."""

"""`arf federate`: students of sites that keep their conversations, averaged by Flower, against one trained on all."""

from arf_programs.tools.federate.job import Federation, federate

"""What the figures for papers have in common: colours, markers, sizes."""

#: Told apart by the colour-blind.
SERIES = ("#0173b2", "#d55e00", "#029e73", "#cc78bc", "#949494")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
RETRAINED, UNLEARNED, ACCENT = SERIES[0], SERIES[1], "#8a8a8a"
#: How many methods, the first of the ranking, a figure of all of them names; more names than this are read by nobody.
NAMED = 40
WIDTH = 3.4  # inches, a paper's column

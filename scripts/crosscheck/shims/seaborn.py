"""Nothing is drawn while numbers are compared."""


def heatmap(_):
    return None

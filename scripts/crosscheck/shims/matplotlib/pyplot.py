"""Nothing is drawn while numbers are compared."""


def clf():
    pass

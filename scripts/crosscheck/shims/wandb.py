"""The part of wandb that the authors' scripts call: everything logged goes to the recorder of theirs.py."""

recorder = None


class Image:
    is_picture = True

    def __init__(self, _):
        pass


class _Run:
    def finish(self):
        pass


def init(**_):
    recorder.begin()
    return _Run()


def log(values):
    recorder.log(values)

"""The exceptions of vpatch. Each message says what is wrong and what to do about it."""


class VPatchError(Exception):
    """Anything that vpatch refuses, or that failed."""


class IOFailure(VPatchError):
    """The system failed to read or write: permissions, a full disk, a missing file."""


class InvalidFile(VPatchError):
    """A file is not a patch or a checkpoint, or it is damaged."""


class WrongBase(VPatchError):
    """The patch does not belong to this model, or the model does not hold this patch."""


class Mismatch(VPatchError):
    """The result is not what the patch records. The model is as it was."""


class Refused(VPatchError):
    """The request contradicts what exists, such as a recipe that does not match, or a file that exists."""


class Misuse(VPatchError, ValueError):
    """An argument that cannot be right, such as an unknown recipe."""


class MixedModel(VPatchError):
    """A failed change could not be taken back: some tensors are changed. The message names them."""


class RankFailed(VPatchError):
    """Another rank of a distributed run failed, ended or did not answer, while all worked together."""

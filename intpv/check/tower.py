"""Tower: groups of frames become tokens, as many as stated, each group alone, and time mixed only where declared."""

import torch

from intpv.check.finding import Check, Wrong, equal
from intpv.check.shown_model import Subject
from intpv.errors import BadInput

NOISE = 1e-6  # of the largest feature: the same shapes are summed in the same order, so that a frame's own stay equal


def checks(subject: Subject, stated_length: int | None) -> list[Check]:
    """`stated_length` is the config's trained_visual_length; None where it leaves that to N x P."""
    return [
        Check("group length", lambda: _groups(subject), needed=True),
        Check("groups alone", lambda: _alone(subject)),
        Check("mixes_time", lambda: _mixes_time(subject)),
        Check("tokens per frame", lambda: _tokens(subject)),
        Check("frames refused", lambda: _refused(subject)),
        Check("trained_visual_length", lambda: _trained(subject, stated_length)),
    ]


def _groups(subject: Subject) -> str:
    encoder = subject.model.encoder
    slots = encoder.group_length
    if slots < 1:
        raise Wrong(f"group_length must be at least 1, got {slots}")
    order = subject.rearranger.order(2 * slots, slots, "check")
    equal("the rearranger orders", order.unique().tolist(), list(range(2 * slots)), "slots are")
    for groups in (1, 2):
        pixels = subject.pixels(groups * subject.group_frames)
        got = tuple(encoder.features(subject.groups(pixels)).shape[:2])
        equal(f"features of {groups} groups are", got, (groups, slots), "m, N are")
    return f"{slots} slots of {encoder.frames_per_slot} frames, {tuple(order.shape)} in the rearranger"


def _alone(subject: Subject) -> str:
    pixels = subject.pixels(2 * subject.group_frames)
    changed = torch.cat([255 - pixels[: subject.group_frames], pixels[subject.group_frames :]])
    look = subject.model.encoder.features
    before, after = (look(subject.groups(one)).float() for one in (pixels, changed))
    moved, largest = float((before - after)[1].abs().max()), float(before.abs().max())
    if moved > NOISE * largest:
        raise Wrong(f"the second group's features move by {moved:.3g} with the first group's frames, must by 0")
    return f"the second group's features move by {moved:.3g} with the first group's frames"


def _mixes_time(subject: Subject) -> str:
    """Change one slot and look at the features of the others."""
    encoder, groups = subject.model.encoder, subject.groups(subject.pixels(subject.group_frames))
    if len(groups[0]) == 1:
        return f"declared {encoder.mixes_time}, a group of 1 has no other frames"
    changed = groups.clone()
    changed[0, 0] = -changed[0, 0]
    before, after = (encoder.features(one).float() for one in (groups, changed))
    moved, largest = float((before - after)[0, 1:].abs().max()), float(before.abs().max())
    measured = moved > NOISE * largest
    said = f"the other frames' features move by {moved:.3g} of {largest:.3g}"
    if measured != encoder.mixes_time:
        raise Wrong(f"measured {measured}, declared {encoder.mixes_time}: {said}")
    return f"{measured}, as declared: {said}"


def _tokens(subject: Subject) -> str:
    encoder, given = subject.model.encoder, tuple(subject.tokens.shape[1:-1])
    stated = tuple(encoder.grid)
    if len(stated) == len(given) == 2:  # rows and columns: as many as the video's size asks for
        return f"{given[0]} x {given[1]} of this size of frame, stated for a usual one {stated[0]} x {stated[1]}"
    count = torch.Size(given).numel()
    equal("given", count, encoder.tokens_per_frame)
    equal("given", given, stated)
    return f"{count}, as stated"


def _refused(subject: Subject) -> str:
    slots = subject.model.encoder.group_length
    if slots == 1:
        return "every number of slots is a multiple of a group of 1"
    for wrong in (slots + 1, slots - 1):
        try:
            subject.rearranger.order(wrong, slots, "check")
        except BadInput:
            continue
        raise Wrong(f"{wrong} slots are accepted, the tower's group length is {slots}")
    return f"{slots - 1} and {slots + 1}, no multiples of {slots}"


def _trained(subject: Subject, stated: int | None) -> str:
    encoder, got = subject.model.encoder, subject.model.trained_visual_length
    product = encoder.group_length * encoder.tokens_per_frame
    formula = f"N x P = {encoder.group_length} x {encoder.tokens_per_frame} = {product}"
    equal("the model says", got, product if stated is None else stated, "N x P is" if stated is None else "stated")
    if got < 1:
        raise Wrong(f"must be at least 1 token, got {got}")
    return f"{got} tokens, {formula}" + ("" if got == product else ", stated otherwise")

"""`apply_patch`, as the code sees it."""


def apply_patch(patch):
    """Merges a sub-agent's changes into the files here: all of them, or none where one is in conflict.

    `patch` is what rlm_query returned, or the text of a patch as git writes it with --full-index. Files that were
    changed here as well are merged line by line with the version that both began with. Returns a dict: `applied`,
    `files` (the paths that were changed here), and `conflicts`, a list of dicts with `path`, `reason` and `hunks`,
    each with `line` (of the file here), `ours`, `base` and `theirs`.
    """
    import tempfile

    from rlm_kernel.patch_files import patch_files
    from rlm_kernel.three_way import Merge, shown

    text = getattr(patch, "patch", patch)
    if not isinstance(text, str):
        raise TypeError("apply_patch: give what rlm_query returned, or a patch as a string, not %s" % type(patch).__name__)
    if text == "":
        return {"applied": True, "files": [], "conflicts": []}
    changes = patch_files(text)
    if not changes:
        raise ValueError("apply_patch: this is not a patch of git's; give what rlm_query returned, or its .patch")
    with tempfile.TemporaryDirectory(prefix="rlm-merge-") as folder:
        merge = Merge(folder)
        merge.take_in(changes, text.encode("utf-8", "surrogateescape"))
        results = [merge.file(change) for change in changes]
        conflicts = [result for result in results if isinstance(result, dict)]
        writes = [] if conflicts else [result for result in results if result is not None]
        merge.write(writes)
    return {
        "applied": not conflicts,
        "files": [shown(path) for path, _ in writes],
        "conflicts": conflicts,
    }

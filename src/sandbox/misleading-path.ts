/** HFS+ does not see these code points. */
const UNSEEN = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** NTFS knows .git by its short name too, drops dots and spaces at the end, and reads what follows a colon as a stream. */
const REPOSITORY = /^(\.git|git~1)[. ]*(:.*)?$/is;

/**
 * Whether a path of a patch leads out of the tree it is applied to, or into its repository: here, on macOS or on Windows.
 * python/rlm_kernel/misleading_names.py has the same rule.
 */
export function isMisleading(path: Uint8Array): boolean {
  // What is not UTF-8 becomes U+FFFD, which is part of no such name.
  const text = Buffer.from(path).toString('utf8');
  if (text.includes('\0') || /^[a-z]:[/\\]/i.test(text)) return true;
  if (text.split('/').some((part) => part === '' || part === '.')) return true;
  return text.split(/[/\\]/).some((part) => part === '..' || REPOSITORY.test(part.replace(UNSEEN, '')));
}

const MOST = 1000;
/** Frames of a stack: of Node, of Python. */
const FRAME = /^\s+at \S|^\s+File ".*", line \d+/;
const ERROR = /^(?:Uncaught )?(?:[\w$.]*(?:Error|Exception)|[\w$.]+\.[\w$]+)(?: \[\w+\])?: \S/;

/** What a program wrote last, in one line. Of a stack, only what it is about: the frames would push that out. */
export function lastWords(text: string): string {
  const lines = text.trim().split(/\r?\n/);
  const error = lines.some((line) => FRAME.test(line)) ? lines.findLast((line) => ERROR.test(line)) : undefined;
  if (error !== undefined) return error.slice(0, MOST).trim();
  return text
    .trim()
    .slice(-MOST)
    .replaceAll(/\s*\n\s*/g, ' | ');
}

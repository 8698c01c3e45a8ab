/** The characters that are followed, by the names that rows have. */
export const CHARACTERS = ['Dantès', 'Danglars', 'Fernand/Morcerf', 'Villefort', 'Mercédès'] as const;

export type Character = (typeof CHARACTERS)[number];

/** What the analysis takes and gives. */
export const MONTE_CRISTO_SIGNATURE = 'chapters: list[str], task: str -> wealth_data: list[dict]';

/** The input `task`. */
export const MONTE_CRISTO_TASK = [
  'Follow how rich or poor the main characters are through the whole novel.',
  'Wherever a chapter says or implies it of one of them, make a dict with the keys',
  'chapter (int, the first is 1), character (str),',
  'wealth (int, from 1 for destitute to 10 for the richest in Paris)',
  'and event (str, in a few words what shows it).',
  `The characters, named exactly so: ${CHARACTERS.join(', ')}.`,
  'Leave out no chapter of the book.',
].join(' ');

/** What is drawn of the answer. */
export const MONTE_CRISTO_PLOT = {
  x: 'chapter',
  y: 'wealth',
  series: 'character',
  title: 'Wealth in The Count of Monte Cristo',
} as const;

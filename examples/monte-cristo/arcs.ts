/** Where somebody stands from a chapter on. */
export interface ArcStage {
  readonly from: number;
  /** 1 to 10. */
  readonly wealth: number;
  readonly what: string;
}

/** What the rules know of a character before they read. */
export interface Arc {
  /** The names it goes by; each with the chapter from which on a reader knows who is meant. */
  readonly names: readonly { readonly pattern: RegExp; readonly from: number }[];
  /** In order; nothing is said of chapters after the last one where `ends` is set. */
  readonly stages: readonly ArcStage[];
  readonly ends?: number;
}

/** A name, but not that of somebody's wife, child or father. */
const notOfTheFamily = (name: string): RegExp =>
  new RegExp(
    String.raw`(?<!\b(?:Madame|Mademoiselle|Baroness|Countess|Viscount|Albert|Eugénie|Valentine|Edward|Héloïse|Hermine|Noirtier|Mercédès)(?: de)? )(?<!\b(?:Madame|Mademoiselle|Albert|Valentine|Edward|Noirtier|Countess|Viscount) (?:de|of) )\b(?:${name})\b`,
  );

/** The story as it is known, by the names that rows have: the rules look each chapter up here, then for words in it that bear it out. */
export const ARCS: Readonly<Record<string, Arc>> = {
  Dantès: {
    names: [
      { pattern: /\b(?:Dantès|Edmond)\b/, from: 1 },
      { pattern: /\b(?:Sinbad|Busoni|Wilmore|Zaccone)\b/, from: 26 },
      { pattern: /(?<!\b[Ii]sland of )\b(?:Monte Cristo|the count)\b/, from: 33 },
      { pattern: /\bunknown\b/, from: 25 },
    ],
    stages: [
      { from: 1, wealth: 3, what: 'a mate who may become captain' },
      { from: 5, wealth: 4, what: 'a captain to be, at his betrothal' },
      { from: 6, wealth: 2, what: 'accused' },
      { from: 8, wealth: 1, what: 'a prisoner who owns nothing' },
      { from: 21, wealth: 2, what: 'escaped, among smugglers' },
      { from: 23, wealth: 3, what: 'on the island of the treasure' },
      { from: 24, wealth: 9, what: 'finder of the treasure' },
      { from: 31, wealth: 10, what: 'lord of an immense fortune' },
      { from: 113, wealth: 9, what: 'at the end of his revenge' },
      { from: 117, wealth: 8, what: 'gives his houses and riches away' },
    ],
  },
  Danglars: {
    names: [{ pattern: notOfTheFamily('Danglars'), from: 1 }],
    stages: [
      { from: 1, wealth: 3, what: 'supercargo of a merchant ship' },
      { from: 13, wealth: 4, what: 'a clerk gone to Spain' },
      { from: 26, wealth: 8, what: 'a banker and baron by now' },
      { from: 46, wealth: 9, what: 'one of the richest bankers of Paris' },
      { from: 54, wealth: 8, what: 'a banker who loses at the exchange' },
      { from: 65, wealth: 7, what: 'a banker with one loss after another' },
      { from: 87, wealth: 6, what: 'a banker in difficulties' },
      { from: 95, wealth: 5, what: 'close to bankruptcy' },
      { from: 97, wealth: 4, what: 'a bankrupt in secret' },
      { from: 104, wealth: 6, what: 'in flight with other people’s millions' },
      { from: 114, wealth: 5, what: 'in the hands of bandits' },
      { from: 115, wealth: 3, what: 'pays a fortune for each meal' },
      { from: 116, wealth: 2, what: 'left with next to nothing' },
    ],
  },
  'Fernand/Morcerf': {
    names: [
      { pattern: /\bFernand\b/, from: 1 },
      { pattern: /\b(?:Count (?:of|de) Morcerf|M\. de Morcerf)\b/, from: 27 },
      { pattern: notOfTheFamily('Morcerf'), from: 53 },
    ],
    stages: [
      { from: 1, wealth: 2, what: 'a Catalan fisherman' },
      { from: 13, wealth: 1, what: 'a conscript' },
      { from: 26, wealth: 8, what: 'a count and peer of France by now' },
      { from: 78, wealth: 7, what: 'a count under suspicion' },
      { from: 86, wealth: 5, what: 'disgraced before the peers' },
      { from: 89, wealth: 4, what: 'dishonoured' },
      { from: 92, wealth: 2, what: 'deserted by wife and son' },
    ],
    ends: 92,
  },
  Villefort: {
    names: [
      { pattern: notOfTheFamily('Villefort'), from: 1 },
      { pattern: /\b(?:procureur du roi|king’s attorney)\b/i, from: 48 },
    ],
    stages: [
      { from: 1, wealth: 6, what: 'a magistrate about to marry well' },
      { from: 13, wealth: 7, what: 'a magistrate who rises' },
      { from: 48, wealth: 8, what: 'the king’s attorney, rich by two marriages' },
      { from: 59, wealth: 7, what: 'his house loses an inheritance' },
      { from: 73, wealth: 8, what: 'an heir to the Saint-Mérans' },
      { from: 100, wealth: 7, what: 'death after death in a rich house' },
      { from: 110, wealth: 4, what: 'ruined in public' },
      { from: 111, wealth: 2, what: 'has lost everything, and his mind' },
    ],
  },
  Mercédès: {
    names: [
      { pattern: /\bMercédès\b/, from: 1 },
      { pattern: /\b(?:Madame de Morcerf|Countess (?:of|de) Morcerf)\b/, from: 27 },
    ],
    stages: [
      { from: 1, wealth: 2, what: 'a poor orphan of the Catalans' },
      { from: 9, wealth: 1, what: 'poor and alone' },
      { from: 26, wealth: 8, what: 'a countess by now' },
      { from: 88, wealth: 7, what: 'a countess about to lose her house' },
      { from: 91, wealth: 3, what: 'leaves all riches behind' },
      { from: 104, wealth: 2, what: 'lives in a small lodging' },
    ],
  },
};

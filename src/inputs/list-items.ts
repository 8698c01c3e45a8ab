import type { InputSummary } from '../domain/kernel-protocol.ts';
import { ANY, type Field, type FieldType } from '../domain/signature/field-type.ts';
import { renderType } from '../domain/signature/render.ts';
import { summarizeValue } from '../domain/summarize-value.ts';
import { checkPart } from './check-part.ts';
import { ListCounter } from './counters.ts';
import { invalid } from './invalid.ts';

/** Takes the items of a list one by one, and checks each against the field. */
export class ListItems {
  readonly #field: Field;
  readonly #label: string;
  readonly #type: FieldType;
  readonly #counter = new ListCounter();

  constructor(field: Field, label: string) {
    this.#field = field;
    this.#label = label;
    this.#type = listTypeOf(field, label);
  }

  get length(): number {
    return this.#counter.length;
  }

  /** Whether a summary shows the next one. */
  get shows(): boolean {
    return this.#counter.shows;
  }

  /**
   * @param place - `rows.csv, line 3`
   * @param shown - the item as a summary shows it
   * @param advice - what to do where it does not fit
   * @returns the item as it is to be kept
   */
  take(
    item: unknown,
    place: string,
    {
      type = this.#itemType(),
      shown,
      advice = () => '',
    }: { type?: FieldType; shown?: unknown; advice?: () => string } = {},
  ): unknown {
    const checked = checkPart(`${this.#field.name}[${this.#counter.length}]`, type, item);
    if ('problems' in checked) throw invalid(`${place}: ${checked.problems}${advice()}`);
    this.#counter.take(shown ?? item);
    return checked.value;
  }

  #itemType(): FieldType {
    if (this.#type.kind === 'tuple') return this.#type.items[this.#counter.length] ?? ANY;
    return this.#type.kind === 'list' || this.#type.kind === 'tuple_of' ? this.#type.item : ANY;
  }

  end(): void {
    if (this.#type.kind !== 'tuple' || this.#type.items.length === this.#counter.length) return;
    throw invalid(
      `${this.#field.name}: expected ${renderType(this.#type)}, and ${this.#label} has ${this.#counter.length} items`,
    );
  }

  summary(): InputSummary {
    return summarizeValue(this.#counter.preview(), this.#field.type);
  }
}

/** The part of the field's type that a list can have; Any where several could. */
function listTypeOf({ name, type }: Field, label: string): FieldType {
  const kinds = ['any', 'list', 'tuple', 'tuple_of'];
  const members = (type.kind === 'union' ? type.members : [type]).filter(({ kind }) => kinds.includes(kind));
  const [only, ...others] = members;
  if (only === undefined) throw invalid(`${name}: expected ${renderType(type)}, and ${label} holds a list`);
  return others.length === 0 ? only : ANY;
}

import { type Field, type FieldType, type Signature, STR } from './field-type.ts';
import { nameProblem, normalizedName } from './names.ts';
import { signatureError } from './signature-error.ts';
import { tokens, type Token } from './tokens.ts';
import { TypeParser } from './type-notation.ts';

const EXAMPLE = 'A signature looks like this: documents: list[str], question -> answer: str';

/**
 * Reads a signature in DSPy's notation, `documents: list[str], question: str -> answer: str`. A field without a type
 * is a str.
 *
 * Beyond DSPy's: an object with known keys may be written `{chapter: int, event?: str}`, with `...` as its last entry
 * where other keys are allowed.
 *
 * @throws SignatureError that shows the character and says what to do.
 */
export function parseSignature(source: string): Signature {
  const parser = new SignatureParser(source);
  return parser.signature();
}

/** Reads a type alone: `list[str]`. @throws SignatureError, its message beginning with `place`. */
export function parseType(source: string, place = 'The type'): FieldType {
  const parser = new TypeParser(source, tokens(source, place), place);
  const type = parser.type();
  parser.expectEnd();
  return type;
}

class SignatureParser extends TypeParser {
  constructor(source: string) {
    super(source, tokens(source, 'The signature'), 'The signature');
  }

  signature(): Signature {
    this.#checkArrows();
    const inputs = this.#fields([]);
    this.take();
    const outputs = this.#fields(inputs);
    if (outputs.length === 0) {
      throw this.complain(
        this.peek(),
        'there is no output field',
        'Name what is wanted after `->`, such as answer: str.',
      );
    }
    return { inputs, outputs };
  }

  #checkArrows(): void {
    const arrows = this.all.filter(({ type }) => type === '->');
    const [, second] = arrows;
    if (second !== undefined) {
      throw this.complain(second, 'there is a second `->`', 'Write the inputs, one `->`, and the outputs.');
    }
    const end = this.all.at(-1);
    if (arrows.length === 0 && end !== undefined) {
      throw this.complain(end, 'there is no `->`', `Write the inputs, \`->\`, and the outputs. ${EXAMPLE}`);
    }
  }

  /** Up to the arrow or the end; a comma may follow the last. */
  #fields(others: readonly Field[]): Field[] {
    const fields: Field[] = [];
    while (!this.#atEnd()) {
      fields.push(this.#field([...others, ...fields]));
      if (this.#atEnd()) break;
      this.#comma();
    }
    return fields;
  }

  #atEnd(): boolean {
    return this.peek().type === '->' || this.peek().type === 'end';
  }

  #comma(): void {
    const token = this.peek();
    if (token.type === ',') {
      this.take();
      return;
    }
    if (token.type === '=') {
      throw this.complain(token, 'fields have no default values', 'Leave it out and give the value with the inputs.');
    }
    const advice = token.type === 'name' ? 'Separate fields with commas.' : `Remove it. ${EXAMPLE}`;
    throw this.complain(token, `\`${token.text}\` does not belong here`, advice);
  }

  #field(others: readonly Field[]): Field {
    const token = this.take();
    const name = this.#name(token, others);
    if (this.peek().type !== ':') return { name, type: STR };
    this.take();
    return { name, type: this.type() };
  }

  #name(token: Token, others: readonly Field[]): string {
    if (token.type === 'text') {
      throw this.complain(token, 'a text where a name is wanted', 'Write the name of the field without quotes.');
    }
    if (token.type !== 'name' && token.type !== 'number') {
      throw this.complain(token, `\`${token.text}\` where the name of a field is wanted`, EXAMPLE);
    }
    const name = normalizedName(token.text);
    const problem = nameProblem(name);
    if (problem !== undefined) {
      const [what, ...advice] = problem.split('; ');
      throw this.complain(token, `${name} ${what}`, sentence(advice.join('; ')));
    }
    if (others.some((other) => other.name === name)) {
      throw this.complain(
        token,
        `there are two fields called ${name}`,
        'Inputs and outputs each need a name of their own.',
      );
    }
    return name;
  }
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** The error of a structured form that repeats what a text would have been told. */
export function nameError(name: string, place: string, others: readonly string[]): Error | undefined {
  const problem = others.includes(name) ? 'is there twice; give it another name' : nameProblem(name);
  if (problem === undefined) return undefined;
  const [what, ...advice] = problem.split('; ');
  return signatureError(name, place, {
    position: 0,
    length: name.length,
    problem: `${name} ${what}`,
    advice: sentence(advice.join('; ')),
  });
}

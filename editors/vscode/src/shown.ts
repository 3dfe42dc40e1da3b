/** What of a shown suggestion the user has taken so far, inferred from edits: VS Code's stable API tells only of whole ones. */

export interface Edit {
  /** UTF-16 offset in the document where text was replaced. */
  readonly offset: number;
  readonly removedLength: number;
  readonly inserted: string;
}

/** One key puts these in: a bracket or quote with its closer, a line end with the next line's indent. */
const OF_ONE_KEY = /^(?:\(\)|\[\]|\{\}|<>|""|''|``|\s+)$/;

export class ShownText {
  readonly #text: string;
  #takenLength: number;
  #cursorOffset: number;
  readonly #menuLength: number;

  /**
   * `insertText` is the item's whole text, of which `typedLength` UTF-16 units stand before the cursor already,
   * which is at `cursorOffset`. Its first `menuLength` units are the item selected in the completion menu.
   */
  constructor(insertText: string, typedLength: number, cursorOffset: number, menuLength = 0) {
    this.#text = insertText;
    this.#menuLength = menuLength;
    this.#takenLength = typedLength;
    this.#cursorOffset = cursorOffset;
  }

  /**
   * How an edit relates to the suggestion: `typed` over what one key brings, `taken` up to a length (UTF-16 units from
   * the start of the text) by accepting a word or a line, or `left` for anything else. VS Code inserts an accepted
   * part in one piece, a typist key by key; a part that one key or the completion menu could have brought counts as
   * typed.
   */
  apply({ offset, removedLength, inserted }: Edit): { kind: 'typed' | 'left' } | { kind: 'taken'; length: number } {
    const rest = this.#text.slice(this.#takenLength);
    // The document's line ends may be others than the suggestion's.
    const text = inserted.replaceAll('\r\n', '\n');
    if (offset !== this.#cursorOffset || removedLength > 0 || text === '' || !rest.startsWith(text)) {
      return { kind: 'left' };
    }
    this.#takenLength += text.length;
    this.#cursorOffset += inserted.length;
    const isOfMenu = this.#takenLength <= this.#menuLength;
    // The last part runs the item's command, which says more than we could.
    if (isOfMenu || text.length === 1 || text.length === rest.length || OF_ONE_KEY.test(text)) {
      return { kind: 'typed' };
    }
    return { kind: 'taken', length: this.#takenLength };
  }
}

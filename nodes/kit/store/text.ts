/**
 * Names that come from devices, as SQLite can hold them: NUL would cut them, and half a surrogate pair become a question mark,
 * so that two names would be one. Written as inside a JSON string.
 */
export const toText = (name: string): string => JSON.stringify(name).slice(1, -1);

/** The name again; the text itself where damage has made it something else. */
export function fromText(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

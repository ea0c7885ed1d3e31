/**
 * Names that come from devices, as SQLite can hold them: NUL would cut them, and half a surrogate pair become a question mark,
 * so that two names would be one. Written as inside a JSON string.
 */
export const toText = (name: string): string => JSON.stringify(name).slice(1, -1);

export const fromText = (text: string): string => JSON.parse(`"${text}"`) as string;

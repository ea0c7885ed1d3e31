const UNSTORABLE = /\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Text as every database keeps it: NUL and halves of surrogate pairs become U+FFFD. */
export const cleanText = (value: string): string => value.replace(UNSTORABLE, '\ufffd');

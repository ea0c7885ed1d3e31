/** A number or other value written as given: `new JsonLiteral('1548929098.0')` (facts A3, floats). */
export class JsonLiteral {
  constructor(readonly text: string) {}
}

export type DahuaJson = null | boolean | number | string | JsonLiteral | readonly DahuaJson[] | DahuaObject;
export interface DahuaObject {
  readonly [key: string]: DahuaJson | undefined;
}

const RIGHT_MARGIN = 74;

/**
 * JSON as the devices print it (facts A3): 3-space indent, blank on both sides of the colon, short arrays on one line as
 * `[ 1, 2 ]`, keys in byte order, `/` as `\/`. Lines end in LF; no LF at the end.
 */
export function styledJson(value: DahuaJson, indent = ''): string {
  if (value instanceof JsonLiteral) return value.text;
  if (isList(value)) return styledList(value, indent);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value).replaceAll('/', '\\/');
  const deeper = `${indent}   `;
  const members = Object.entries(value)
    .filter((entry): entry is [string, DahuaJson] => entry[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${deeper}${JSON.stringify(key)} : ${styledJson(member, deeper)}`);
  return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${indent}}`;
}

function styledList(list: readonly DahuaJson[], indent: string): string {
  if (list.length === 0) return '[]';
  const deeper = `${indent}   `;
  const items = list.map((item) => styledJson(item, deeper));
  const oneLine = `[ ${items.join(', ')} ]`;
  if (oneLine.length < RIGHT_MARGIN && !list.some(isContainer)) return oneLine;
  return `[\n${items.map((item) => deeper + item).join(',\n')}\n${indent}]`;
}

/** `Array.isArray` loses the element type of a read-only list. */
function isList(value: DahuaJson): value is readonly DahuaJson[] {
  return Array.isArray(value);
}

function isContainer(value: DahuaJson): boolean {
  return typeof value === 'object' && value !== null && !(value instanceof JsonLiteral);
}

/** Reading a value out of a message by a dotted path such as `payload.data.activity`; own properties only. */

export type Path = readonly string[];

/** `msg.` in front may be there or not; `a[0].b` is `a.0.b`. An empty path is the message itself. */
export function parsePath(text: string): Path {
  const plain = text.trim().replace(/\[(\d+)\]/g, '.$1').replace(/^msg(\.|$)/, '');
  return plain === '' ? [] : plain.split('.');
}

/** The value, or undefined where the path leads nowhere. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

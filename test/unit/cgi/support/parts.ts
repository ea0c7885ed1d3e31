/** How one part is framed. What is left out is as current firmware does it (facts/dahua-hanwha.md A2). */
export interface Framing {
  boundary?: string;
  type?: string | null;
  /** The header's name with colon and blanks, as `Content-Length:`. */
  lengthHeader?: string;
  /** Declared length; null for no such header. The body's own length unless given. */
  length?: number | null;
  /** Between headers and body. */
  blank?: string;
  before?: string;
  after?: string;
}

export function part(body: string | Buffer, framing: Framing = {}): Buffer {
  const bytes = Buffer.from(body);
  const type = framing.type === undefined ? 'text/plain' : framing.type;
  const length = framing.length === undefined ? bytes.length : framing.length;
  const head = [
    framing.boundary ?? '--myboundary',
    ...(type === null ? [] : [`Content-Type: ${type}`]),
    ...(length === null ? [] : [`${framing.lengthHeader ?? 'Content-Length:'}${length}`]),
  ];
  return Buffer.concat([
    Buffer.from((framing.before ?? '') + head.join('\r\n') + '\r\n' + (framing.blank ?? '\r\n')),
    bytes,
    Buffer.from(framing.after ?? '\r\n\r\n'),
  ]);
}

export const heartbeat = (framing: Framing = {}): Buffer =>
  part('Heartbeat', { before: '\r\n', after: '\r\n', ...framing });

/** JSON with the blanks that devices put: three per level, one before the colon, LF line ends. */
export function deviceJson(value: unknown, newline = '\n'): string {
  return JSON.stringify(value, null, 3).replace(/^( *"(?:[^"\\]|\\.)*"):/gm, '$1 :').replaceAll('\n', newline);
}

/** The line of an event, with its data printed as devices print it and the line end that they put after them. */
export function line(code: string, action: string, index?: number, data?: unknown): string {
  const head = `Code=${code};action=${action}` + (index === undefined ? '' : `;index=${index}`);
  return data === undefined ? head : `${head};data=${deviceJson(data)}\n`;
}

import type { Duplex } from 'node:stream';

/** One request as it stood on the wire. `target` is untouched; header names are lower-cased, bytes as latin-1. */
export interface WireRequest {
  method: string;
  target: string;
  version: '1.0' | '1.1';
  headers: Map<string, string>;
  body: Buffer;
}

export interface WireAnswer {
  status: number;
  headers?: readonly (readonly [name: string, value: string])[];
  body?: string | Buffer;
  /** Say `Connection: close` and end the connection. */
  close?: boolean;
}

const REASONS: Record<number, string> = {
  200: 'OK', 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 500: 'Internal Server Error',
  501: 'Not Implemented', 503: 'Service Unavailable',
};
const MAX_HEAD = 65_536;
const MAX_BODY = 1_048_576;

/**
 * Calls `onRequest` for each request of a connection, in order. Bytes that are not HTTP end the connection.
 * `onRequest` returns false to take the connection over: what the client sends after that is thrown away.
 */
export function readRequests(socket: Duplex, onRequest: (request: WireRequest) => boolean): void {
  let pending: Buffer = Buffer.alloc(0);
  let taken = false;
  socket.on('data', (chunk: Buffer) => {
    if (taken) return;
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      const end = pending.indexOf('\r\n\r\n');
      if (end < 0) {
        if (pending.length > MAX_HEAD) socket.destroy();
        return;
      }
      const head = parseHead(pending.toString('latin1', 0, end));
      const length = Number(head?.headers.get('content-length') ?? 0);
      if (!head || !(length <= MAX_BODY)) {
        socket.destroy();
        return;
      }
      if (pending.length < end + 4 + length) return;
      const body = pending.subarray(end + 4, end + 4 + length);
      pending = pending.subarray(end + 4 + length);
      if (!onRequest({ ...head, body })) {
        taken = true;
        return;
      }
    }
  });
}

function parseHead(text: string): Omit<WireRequest, 'body'> | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const [, method, target, version] = /^([A-Z]+) (\S+) HTTP\/(1\.[01])$/.exec(first) ?? [];
  if (method === undefined || target === undefined || version === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    headers.set(name.toLowerCase(), value);
  }
  return { method, target, version: version === '1.0' ? '1.0' : '1.1', headers };
}

/** The bytes of an answer with Content-Length. */
export function answerBytes(answer: WireAnswer, version: '1.0' | '1.1'): Buffer {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : (answer.body ?? Buffer.alloc(0));
  const lines = [
    `HTTP/${version} ${answer.status} ${REASONS[answer.status] ?? 'Answer'}`,
    ...(answer.headers ?? []).map(([name, value]) => `${name}: ${value}`),
    `Connection: ${answer.close ? 'close' : 'Keep-Alive'}`,
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}

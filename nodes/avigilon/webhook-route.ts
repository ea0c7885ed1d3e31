/** The webhook as an HTTP route: the raw body, bounded, and an answer at once. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CodedError } from '../kit/errors';

export interface WebhookAddress {
  /** What the server is to call. */
  url: string;
  scheme: 'http' | 'https';
}

const MAX_BODY = 1024 * 1024;
const MAX_OPEN = 32;
const BODY_TIMEOUT_MS = 10_000;

/**
 * @param base under which the server reaches Node-RED, such as `https://10.0.0.5:1880`; a path of a reverse proxy may follow
 * @param path of the route, below httpNodeRoot
 * @throws CodedError CONFIG_INVALID, field `webhookUrl`
 */
export function webhookAddress(base: string, path: string): WebhookAddress {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash) {
    throw new CodedError('CONFIG_INVALID', 'webhookUrl: must be the address under which the Avigilon server reaches Node-RED, such as https://192.168.1.20:1880', {
      field: 'webhookUrl',
    });
  }
  return { url: `${url.href.replace(/\/+$/, '')}${path}`, scheme: url.protocol === 'https:' ? 'https' : 'http' };
}

/** @param receive takes a body and its Authorization header, and gives the status to answer with */
export function webhookHandler(receive: (body: Buffer, authorization: string | undefined) => number) {
  let open = 0;
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (open >= MAX_OPEN) {
      response.writeHead(503).end();
      return;
    }
    open++;
    const body = await readBody(request).finally(() => open--);
    if (body) response.writeHead(receive(body, request.headers.authorization)).end();
    else response.writeHead(413, { connection: 'close' }).end(() => request.destroy());
  };
}

/** Undefined for one that is too long; an empty one where the client broke off, or took too long. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => request.destroy(), BODY_TIMEOUT_MS);
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return Buffer.alloc(0);
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}

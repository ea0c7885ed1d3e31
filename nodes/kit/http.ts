/**
 * The one way to HTTP: undici with a dispatcher of one's own. undici's global dispatcher and the bundled `fetch` are
 * never used: they offer neither CA nor pool size, and other nodes of the process share them (facts/dependencies.md 2).
 */
import { Agent, type Dispatcher } from 'undici';
import { tlsOptions, type TlsSettings } from './tls';

export { toNetworkError } from './http-errors';

export type ResponseBody = Dispatcher.ResponseData['body'];
export type ResponseHeaders = Dispatcher.ResponseData['headers'];

export interface AgentSettings {
  tls: TlsSettings;
  /** Sockets per device at most. One for an event stream, so that the login reuses the socket of the challenge. */
  connections: number;
  connectTimeoutMs: number;
  /** From the request written to the answer's headers complete. */
  headersTimeoutMs: number;
  /** Longest silence within a body; 0, for event streams, which have a watchdog of their own, is never. */
  bodyTimeoutMs: number;
}

/**
 * An agent for one device; its maker closes or destroys it.
 * @throws {CodedError} TLS_CA_UNREADABLE
 */
export function createAgent(settings: AgentSettings): Agent {
  return new Agent({
    connections: settings.connections,
    connect: { ...tlsOptions(settings.tls), timeout: settings.connectTimeoutMs },
    headersTimeout: settings.headersTimeoutMs,
    bodyTimeout: settings.bodyTimeoutMs,
  });
}

/** An answer that says no is short; what is longer, or does not end by then, is cut off. */
const DRAIN_TIMEOUT_MS = 5_000;

/**
 * Reads a body of no further interest, so that its socket is free again: the text of at most `limitBytes`, UTF-8 where
 * it is valid, else Latin-1. A longer body, or one that has not ended after `timeoutMs`, is destroyed together with its
 * socket, for on `connections: 1` nothing else would get through (facts/dependencies.md 1, defect 12).
 * Never rejects: of a body that breaks off or is aborted, what had come is returned.
 */
export async function drain(body: ResponseBody, limitBytes: number, timeoutMs = DRAIN_TIMEOUT_MS): Promise<string> {
  const chunks: Buffer[] = [];
  let room = limitBytes;
  body.on('error', () => undefined);
  const timer = setTimeout(() => body.destroy(), timeoutMs);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk.subarray(0, room));
      room -= chunk.length;
      if (room < 0) break;
    }
  } catch {
    // Broken off: the part that came is the answer.
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  return decode(Buffer.concat(chunks));
}

/** `stream` forgives a character cut in two at the limit. */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return bytes.toString('latin1');
  }
}

import { createHash } from 'node:crypto';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';

/** A whole answer, header names lower-cased. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

interface Device {
  host: string;
  port: number;
}

/** One request on a connection of its own. */
export function get(device: Device, target: string, authorization?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = authorization === undefined ? {} : { authorization };
    const request = httpGet({ host: device.host, port: device.port, path: target, headers, agent: false }, (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() });
      });
    });
    request.on('error', reject);
  });
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** MD5, qop auth, from the challenge of an answer; written here anew so as not to share code with the checker. */
export function digestFor(challenge: string, target: string, user = 'admin', password = 'admin123', nc = '00000001'): string {
  const field = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  const [realm, nonce] = [field('realm'), field('nonce')];
  const response = md5(`${md5(`${user}:${realm}:${password}`)}:${nonce}:${nc}:abc:auth:${md5(`GET:${target}`)}`);
  return (
    `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${target}", ` +
    `qop=auth, nc=${nc}, cnonce="abc", response="${response}"`
  );
}

/** Challenge, then login. */
export async function getWithLogin(device: Device, target: string, password = 'admin123'): Promise<Answer> {
  const first = await get(device, target);
  const challenge = first.headers['www-authenticate'];
  if (first.status !== 401 || challenge === undefined) return first;
  return get(device, target, digestFor([challenge].flat().join(), target, 'admin', password));
}

export const ATTACH = '/cgi-bin/eventManager.cgi?action=attach&codes=[All]';

/** A raw connection that gathers what comes. */
export class Listener {
  received = Buffer.alloc(0);
  readonly closed: Promise<'fin' | 'reset'>;
  readonly socket: Socket;
  private wake: () => void = () => undefined;

  constructor(device: Device, target = ATTACH) {
    this.socket = connect(device.port, device.host);
    this.socket.write(`GET ${target} HTTP/1.1\r\nHost: camera\r\n\r\n`);
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('end', () => resolve('fin'));
      this.socket.once('error', () => resolve('reset'));
    });
  }

  /** Resolves with all that came, as latin-1, once `text` is part of it. */
  until(text: string): Promise<string> {
    return new Promise((resolve) => {
      this.wake = () => {
        const all = this.received.toString('latin1');
        if (all.includes(text)) resolve(all);
      };
      this.wake();
    });
  }

  /** What came after the head of the answer. */
  get body(): string {
    const all = this.received.toString('latin1');
    return all.slice(all.indexOf('\r\n\r\n') + 4);
  }

  close(): void {
    this.socket.destroy();
  }
}

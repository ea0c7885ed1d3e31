import type { SecureContextOptions } from 'node:tls';
import type { Chunker } from '../chunker';
import type { DigestOptions } from '../digest-server';
import type { FramingStyle } from './framing';
import type { DeviceIdentity } from './identity';

export interface LockoutOptions {
  /** Bad logins in a row that lock. */
  attempts: number;
  /** How long; every further attempt with credentials, right or wrong, begins it anew. */
  ms: number;
  /** `minutes`: 401 "User Locked! ... 30 minutes"; `seconds`: 401 "remainLockSecond: 600"; `forbidden`: 403 (facts A8). Default `minutes`. */
  answer?: 'minutes' | 'seconds' | 'forbidden';
}

export interface LimitOptions {
  /** Event streams at a time. */
  streams?: number;
  /** TCP connections at a time; a request on one above that is refused before its login is looked at. */
  connections?: number;
  /** Default 401, which looks like a refused login (facts A8). A 401 carries a challenge. */
  status?: number;
  /** `text`: "Exceeded maximum number of connections". Default `text`. */
  body?: 'text' | 'empty';
  /** Refuse new TCP connections (reset) while the streams are used up, as an ASI terminal does. */
  resetNewConnections?: boolean;
}

export interface DahuaDeviceOptions {
  /** Default 127.0.0.1. */
  host?: string;
  /** Default: a free one. */
  port?: number;
  /** HTTPS with this key and certificate (PEM). */
  tls?: SecureContextOptions;
  /** Default `{admin: 'admin123'}`. */
  users?: Record<string, string>;
  /** How logins are asked for and checked; `none`: no login. Default: MD5, qop auth, realm `Login to <serial>`. */
  auth?: Partial<Omit<DigestOptions, 'users'>> | 'none';
  identity?: Partial<DeviceIdentity>;
  /** Channel names, first channel first; a Buffer for names in other charsets. Default: one. */
  channels?: readonly (string | Buffer)[];
  /** Default `modern`. */
  framing?: FramingStyle;
  /** Boundary between the parts and in the Content-Type. Default `myboundary`. */
  boundary?: string;
  /** Content-Type of the stream, when it shall differ from the facts. */
  streamContentType?: string;
  chunker?: Chunker;
  /** Status line and headers of all answers (facts A1: AMDV7208M says 1.0). Default `1.1`. */
  httpVersion?: '1.0' | '1.1';
  /** What the header of the stream says. Default `close`. */
  streamConnection?: 'close' | 'Keep-Alive';
  /** `Connection: close` on every 401 (facts A8). Default false. */
  closeOn401?: boolean;
  /** Size of the body of a 401 in bytes, filled up with blanks. Default: just the text. */
  unauthorizedBytes?: number;
  lockout?: LockoutOptions;
  limits?: LimitOptions;
  /** What an explicit list of more than `longest` codes gets; `silent`: a stream on which nothing ever comes (facts A1). */
  codeList?: { longest: number; answer: 400 | 500 | 'silent' };
  /** heartbeat outside 0..60. Default `reject` (400). */
  heartbeatOutOfRange?: 'reject' | 'ignore';
  /** Length of a "second" of the heartbeat in ms. Default 1000; tests make it short. */
  heartbeatUnitMs?: number;
  /** No CGI at all: this status for every /cgi-bin path (facts A1, SL300). */
  noCgi?: 404 | 501;
  /** getEventIndexes when nothing is active. Default `empty`. */
  noEventIndexes?: 'empty' | 'error';
  /** A stream whose client leaves more than this unread is dropped. Default 8 MB. */
  maxQueuedBytes?: number;
  clock?: { now(): number };
}

/** What a source says of its connection: output 2, the status and the monitor all show this one state. */
import type { Reason } from './errors';

export type ConnectionState =
  | { state: 'connecting'; attempt: number; since: string; reason?: Reason }
  | { state: 'connected'; attempt: number; since: string }
  | { state: 'disconnected'; attempt: number; since: string; reason: Reason; retryInMs: number }
  | { state: 'blocked'; attempt: number; since: string; reason: Reason; retryInMs: number }
  | { state: 'stopped'; attempt: number; since: string };

export type ConnectionName = ConnectionState['state'];

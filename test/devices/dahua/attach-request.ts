import type { WireAnswer } from '../http-wire';
import type { DahuaDeviceOptions } from './options';
import type { CgiCall } from './routes';

export interface Subscription {
  /** null: all. */
  codes: ReadonlySet<string> | null;
  /** 0: none. */
  heartbeatMs: number;
}

/** What `action=attach` asks for, or the refusal it gets (facts A1). `keepalive` is accepted and means nothing. */
export function subscription(call: CgiCall, options: DahuaDeviceOptions): Subscription | WireAnswer {
  const codes = codesOf(call.query.get('codes') ?? '');
  if (codes?.size === 0) return badRequest(400);
  const { codeList, heartbeatOutOfRange = 'reject', heartbeatUnitMs = 1000 } = options;
  const asked = call.query.get('heartbeat') ?? '0';
  const inRange = /^\d+$/.test(asked) && Number(asked) <= 60;
  if (!inRange && heartbeatOutOfRange === 'reject') return badRequest(400);
  if (codes !== null && codeList !== undefined && codes.size > codeList.longest)
    return codeList.answer === 'silent' ? { codes: new Set(), heartbeatMs: 0 } : badRequest(codeList.answer);
  return { codes, heartbeatMs: inRange ? Number(asked) * heartbeatUnitMs : 0 };
}

/** The head of the endless answer (facts A1): neither a length nor a transfer coding. */
export function streamHead(options: DahuaDeviceOptions): Buffer {
  const { httpVersion = '1.1', streamConnection = 'close', boundary = 'myboundary' } = options;
  const lines = [
    `HTTP/${httpVersion} 200 OK`,
    'Cache-Control: no-cache',
    'Pragma: no-cache',
    'Expires: Thu, 01 Dec 2099 16:00:00 GMT',
    `Connection: ${streamConnection}`,
    `Content-Type: ${options.streamContentType ?? `multipart/x-mixed-replace; boundary=${boundary}`}`,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

export function badRequest(status: 400 | 500): WireAnswer {
  const body = status === 400 ? 'Error\r\nBad Request!\r\n' : 'Error\r\nInternal Error!\r\n';
  return { status, headers: [['Content-Type', 'text/plain']], body };
}

/** null: all codes. Both `[A,B]` and `All` without brackets. */
function codesOf(text: string): ReadonlySet<string> | null {
  const names = text.replace(/^\[(.*)\]$/, '$1').split(',').map((name) => name.trim()).filter(Boolean);
  return names.includes('All') ? null : new Set(names);
}

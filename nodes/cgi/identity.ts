/** Who a device is, read by the dialog's test from `magicBox.cgi` (facts/dahua-hanwha.md A4). */
import type { DeviceHttp } from '../kit/digest';
import { CodedError } from '../kit/errors';
import { drain } from '../kit/http';
import type { LoginGate } from '../kit/login-gate';
import { judge, noRoom, wrongLogin } from './attach';

export interface Identity {
  name: string;
  serial: string;
  model: string;
  version: string;
}

const ANSWER_LIMIT = 64 * 1024;

/**
 * At most one refused login: the first refusal ends it, and where logins are held back none is tried.
 * @throws CodedError AUTH_*, CGI_NOT_SUPPORTED, HTTP_STATUS and network codes
 */
export async function readIdentity(http: DeviceHttp, gate: LoginGate): Promise<Identity> {
  if (gate.blockedForMs > 0) throw wrongLogin(http.device, 0);
  const system = await ask(http, gate, 'getSystemInfo');
  const name = await ask(http, gate, 'getMachineName');
  const version = await ask(http, gate, 'getSoftwareVersion');
  // An NVR gives a number as its type and the model in updateSerial.
  const type = system.deviceType ?? '';
  return {
    name: name.name ?? '',
    serial: system.serialNumber ?? '',
    model: /^\d*$/.test(type) ? (system.updateSerial ?? type) : type,
    version: (version.version ?? '').split(',', 1)[0] ?? '',
  };
}

async function ask(http: DeviceHttp, gate: LoginGate, action: string): Promise<Record<string, string>> {
  const answer = await http.request(`/cgi-bin/magicBox.cgi?action=${action}`);
  if (answer.status === 200) {
    gate.accepted();
    return keyValues(await drain(answer.body, ANSWER_LIMIT));
  }
  answer.body.on('error', () => undefined).destroy();
  const verdict = judge(answer, http.device, false);
  switch (verdict.kind) {
    case 'refused': {
      const refusal = gate.refused();
      throw refusal.kind === 'busy' ? noRoom(http.device) : wrongLogin(http.device, refusal.kind === 'refused' ? refusal.left : 0);
    }
    case 'locked':
      gate.locked(verdict.forMs);
      throw verdict.error;
    case 'busy':
    case 'failed':
      throw verdict.error;
    case 'stream':
    case 'codes-refused':
      throw new CodedError('HTTP_STATUS', `${http.device} answered with HTTP ${answer.status}`);
  }
}

function keyValues(text: string): Record<string, string> {
  const entries = text
    .split(/\r?\n/)
    .map((line) => /^\s*([\w.[\]]+)\s*=\s*(.*?)\s*$/.exec(line))
    .filter((match) => match !== null)
    .map((match): [string, string] => [match[1] ?? '', match[2] ?? '']);
  return Object.fromEntries(entries);
}

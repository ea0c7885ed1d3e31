import type { WireAnswer } from '../http-wire';
import type { DeviceIdentity } from './identity';

/** What the pages without a stream need to know of the device. */
export interface DeviceFace {
  identity: DeviceIdentity;
  channels: readonly (string | Buffer)[];
  /** 0-based indexes with a Start and no Stop yet. */
  activeIndexes(code: string): readonly number[];
  noEventIndexes: 'empty' | 'error';
}

/** A request target taken apart: values percent-decoded, brackets may have been literal (facts A1). */
export interface CgiCall {
  path: string;
  query: Map<string, string>;
}

/** Undefined for percent escapes that are none. */
export function parseTarget(target: string): CgiCall | undefined {
  const [path = '', search = ''] = target.split('?', 2);
  try {
    const pairs = search.split('&').filter(Boolean);
    const query = new Map(
      pairs.map((pair) => {
        const [name = '', ...value] = pair.split('=');
        return [decodeURIComponent(name), decodeURIComponent(value.join('='))] as const;
      }),
    );
    return { path, query };
  } catch {
    return undefined;
  }
}

/** Answers of facts A4; undefined for what this device does not have. Lines end in CRLF. */
export function page(call: CgiCall, face: DeviceFace): WireAnswer | undefined {
  const action = call.query.get('action') ?? '';
  switch (call.path) {
    case '/cgi-bin/magicBox.cgi':
      return text(magicBox(action, face.identity));
    case '/cgi-bin/configManager.cgi':
      return action === 'getConfig' && call.query.get('name') === 'ChannelTitle' ? text(channelTitles(face.channels)) : undefined;
    case '/cgi-bin/eventManager.cgi':
      return action === 'getEventIndexes' ? text(eventIndexes(call.query.get('code') ?? '', face)) : undefined;
    default:
      return undefined;
  }
}

function text(body: string | Buffer | undefined): WireAnswer | undefined {
  return body === undefined ? undefined : { status: 200, headers: [['Content-Type', 'text/plain;charset=utf-8']], body };
}

function magicBox(action: string, me: DeviceIdentity): string | undefined {
  switch (action) {
    case 'getSerialNo':
      return `sn=${me.serial}\r\n`;
    case 'getMachineName':
      return `name=${me.machineName}\r\n`;
    case 'getDeviceType':
      return `type=${me.model}\r\n`;
    case 'getVendor':
      return `vendor=${me.vendor}\r\n`;
    case 'getSystemInfo':
      return (
        `deviceType=${me.systemDeviceType}\r\nprocessor=${me.processor}\r\n` +
        `serialNumber=${me.serial}\r\nupdateSerial=${me.updateSerial}\r\n`
      );
    case 'getSoftwareVersion':
      return me.buildDateOnOwnLine
        ? `version=${me.version}\r\nBuildDate=${me.buildDate}\r\n`
        : `version=${me.version},build:${me.buildDate}\r\n`;
    default:
      return undefined;
  }
}

function channelTitles(names: readonly (string | Buffer)[]): Buffer {
  const newline = Buffer.from('\r\n');
  return Buffer.concat(
    names.flatMap((name, index) => [Buffer.from(`table.ChannelTitle[${index}].Name=`), Buffer.from(name), newline]),
  );
}

function eventIndexes(code: string, face: DeviceFace): string {
  const active = face.activeIndexes(code);
  if (active.length === 0) return face.noEventIndexes === 'error' ? 'Error: No Events\r\n' : '';
  return active.map((index, position) => `channels[${position}]=${index}\r\n`).join('');
}

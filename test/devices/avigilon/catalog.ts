import type { AvigilonOptions } from './options';
import { Refusal } from './refusal';
import { single } from './events-search';
import type { Camera, RecordingServer, Site } from './site';
import { TOPICS } from './topics';

/** [major, minor] of a version such as 7.14.2.8. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [mine = 0, mineMinor = 0] = version.split('.').map(Number);
  return mine > major || (mine === major && mineMinor >= minor);
}

/** Capabilities and the version each came with (facts A1). */
const CAPABILITIES: readonly (readonly [name: string, major: number, minor: number])[] = [
  ['LOGIN', 7, 6],
  ['DISCOVERY_CAMERA', 7, 6],
  ['DISCOVERY_SITE', 7, 6],
  ['EVENT_QUERY_SERVER', 7, 6],
  ['NORMALIZED_EVENT_STRUCTURE', 7, 6],
  ['UTILITY_EVENT_SUBTOPICS', 7, 6],
  ['UTILITY_HEALTH', 7, 6],
  ['WEBHOOK_EVENTS', 7, 6],
  ['SOCIAL_DISTANCING_EVENT', 7, 8],
  ['QUERY_SESSION_OPTIONAL', 7, 12],
  ['SITE_WIDE_EVENTS_FLAG', 7, 14],
];

export function capabilities(version: string): object {
  return { capabilities: CAPABILITIES.filter(([, major, minor]) => isAtLeast(version, major, minor)).map(([name]) => name) };
}

export function eventSubtopics(): readonly string[] {
  return TOPICS;
}

export function serverIds(site: Site, shape: AvigilonOptions['serverIdsShape']): unknown {
  const pairs = site.servers.map(({ id, name }) => ({ id, name }));
  switch (shape) {
    case 'list':
      return pairs;
    case 'serverIdList':
    case 'bare':
      return pairs.map(({ id }) => ({ serverId: id }));
    default:
      return { servers: pairs };
  }
}

export function servers(site: Site, version: string): object {
  const one = ({ id, name, reachableIPs }: RecordingServer): object => ({ id, name, reachableIPs, version, siteId: site.id, operatingSystem: 'Windows' });
  return { servers: site.servers.map(one) };
}

export function sites({ id, name }: Site): object {
  return { sites: [{ id, name }] };
}

/** `GET /cameras`: `verbosity` HIGH (default), MEDIUM or LOW; `q=(property exists|eq|ne value)`. */
export function cameras(site: Site, parameters: URLSearchParams): object {
  const verbosity = single(parameters, 'verbosity') ?? 'HIGH';
  if (!['LOW', 'MEDIUM', 'HIGH'].includes(verbosity)) throw new Refusal(400, '"verbosity" must be one of [HIGH, MEDIUM, LOW]');
  const all = site.cameras.map((camera) => cameraObject(camera, verbosity));
  return { cameras: all.filter(condition(single(parameters, 'q'))) };
}

/** `GET /camera?ids=`. */
export function camerasById(site: Site, parameters: URLSearchParams): object {
  const ids = parameters.getAll('ids');
  if (ids.length === 0) throw new Refusal(400, '"ids" is required');
  const found = ids.map((id) => {
    const camera = site.cameras.find((one) => one.id === id);
    if (!camera) throw new Refusal(404, 'camera not found.');
    return cameraObject(camera, 'HIGH');
  });
  return { cameras: found };
}

function condition(text: string | undefined): (camera: Record<string, unknown>) => boolean {
  if (text === undefined) return () => true;
  const [, property, operator, value] = /^\((\w+) (exists|eq|ne)(?: (.+))?\)$/.exec(text) ?? [];
  if (property === undefined || (operator === 'exists') !== (value === undefined)) throw new Refusal(400, '"q" is not a valid query');
  return (camera) => {
    if (operator === 'exists') return property in camera;
    return (String(camera[property]) === value) === (operator === 'eq');
  };
}

/** Facts A5 and A-S6. */
function cameraObject(camera: Camera, verbosity: string): Record<string, unknown> {
  const { id, name, serverId, connectionState, address, mac, serial } = camera;
  const connected = connectionState === 'CONNECTED';
  const low = {
    id,
    name,
    location: 'Unknown',
    apiType: 'ONVIF_SOAP',
    available: true,
    active: true,
    connected,
    connectionState,
    connectionStatus: { isConnectable: connected, state: connectionState, errorFlags: [], startTime: '2025-06-13T22:34:32.575Z' },
    ipAddress: address,
    physicalAddress: mac,
    manufacturer: 'Avigilon (ONVIF)',
    model: '4.0C-H6A-BO1-IR',
    serial,
    serverId,
    timezone: 'America/Bogota',
    logicalId: 4_294_967_295,
    recordedData: true,
    defaultWidth: 2688,
    defaultHeight: 1520,
  };
  if (verbosity === 'LOW') return low;
  const medium = {
    ...low,
    dateTimeZone: { utcOffset: -300, timezone: 'America/Bogota' },
    firmwareVersion: '4.72.0.42',
    operatingPriority: 1,
    geolocation: { longitude: 0, latitude: 0 },
    enableClientDewarping: false,
  };
  if (verbosity === 'MEDIUM') return medium;
  const profile = (index: number): object => ({ token: `profile_${index}`, encodings: ['H264', 'H265', 'MJPEG'], resolutions: ['2688x1520', '1920x1080', '1280x720', '640x360'], maxRate: 30 });
  return {
    ...medium,
    links: ['mic', 'spk', 'din', 'dot'].map((type) => ({ type, id: `${id}-${type}00`, source: id, target: `${id}-${type}00` })),
    capabilities: { acquisition: { profiles: Array.from({ length: 12 }, (_, index) => profile(index)) }, analytics: { isSupported: true, rules: 20 } },
  };
}

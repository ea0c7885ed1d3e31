/** Zones whose occupancy is counted: where their counter is, and which events are entries and exits. */
import { z } from 'zod';
import { CodedError } from '../kit/errors';
import { anyRule, ruleSchema, type Matcher, type Rule } from './rules';
import type { CounterTable } from './statements';

const rules = z.preprocess((value): unknown => (Array.isArray(value) ? value : [value].filter((rule) => rule !== undefined && rule !== null)), z.array(ruleSchema));

export const zoneSchema = z.object({
  name: z.string().trim().min(1, 'a zone has no name').max(128, 'a zone has a name of more than 128 characters'),
  table: z.string().trim().min(1, 'a zone has no table'),
  eventColumn: z.string().trim().default('evento'),
  countColumn: z.string().trim().default('aforo'),
  /** Any of them. */
  entry: rules,
  exit: rules,
});
export type ZoneConfig = z.infer<typeof zoneSchema>;

const named = (value: string): Rule => ({ field: 'data.analyticEventName', op: 'contains', value, activity: '' });
const stadiumZone = (name: string, table: string, entry: string, exit: string): ZoneConfig => ({
  name,
  table,
  eventColumn: 'evento',
  countColumn: 'aforo',
  entry: [named(entry)],
  exit: [named(exit)],
});

/** The stadium's three (facts/avigilon-een.md A7). */
export const DEFAULT_ZONES: readonly ZoneConfig[] = [
  stadiumZone('PARQUEADERO NORTE', 'Aforo_parqueadero', 'AFORO ENTRADA PARQUEADERO NORTE', 'AFORO SALIDA PARQUEADERO NORTE'),
  stadiumZone('CAMPINSITO', 'Aforo_parqueadero_campinsito', 'ENTRADA VEHICULAR CAMPINSITO', 'SALIDA VEHICULAR CAMPINSITO'),
  stadiumZone('ZONA SUR', 'Aforo_parqueadero_SUR', 'INGRESO PARQUEADERO SUR', 'SALIDA PARQUEADERO SUR'),
];

export interface Zone extends CounterTable {
  name: string;
  /** What tells counters apart; the same in every worker. */
  key: string;
  isEntry: Matcher;
  isExit: Matcher;
}

/**
 * In the order of their keys, which is the order in which their counters are locked.
 * @throws CodedError CONFIG_INVALID, field zones: two zones of one name or on one counter, or a rule that cannot be
 */
export function zonesOf(configs: readonly ZoneConfig[]): Zone[] {
  const zones = configs.map(({ name, table, eventColumn, countColumn, entry, exit }) => ({
    name,
    table,
    eventColumn: eventColumn || 'evento',
    countColumn: countColumn || 'aforo',
    key: `${table.replace(/^dbo\./i, '')}.${countColumn || 'aforo'}`.toLowerCase(),
    isEntry: anyRule(entry, 'zones'),
    isExit: anyRule(exit, 'zones'),
  }));
  if (zones.length === 0) throw invalid('must have at least one zone');
  zones.sort((a, b) => (a.key < b.key ? -1 : 1));
  const names = new Set(zones.map(({ name }) => fold(name)));
  if (names.size < zones.length) throw invalid('two zones have the same name');
  const keys = new Set(zones.map(({ key }) => key));
  if (keys.size < zones.length) throw invalid('two zones count in the same column of the same table');
  return zones;
}

/** What an event does to each zone. One that is both an entry and an exit by the zone's rules is an entry. */
export function movesOf(event: object, zones: readonly Zone[]): { zone: Zone; delta: 1 | -1 }[] {
  const moves: { zone: Zone; delta: 1 | -1 }[] = [];
  for (const zone of zones) {
    if (zone.isEntry(event)) moves.push({ zone, delta: 1 });
    else if (zone.isExit(event)) moves.push({ zone, delta: -1 });
  }
  return moves;
}

/** The zone of this name, whatever its case. @throws CodedError BAD_MESSAGE */
export function zoneNamed(name: unknown, zones: readonly Zone[]): Zone {
  const zone = typeof name === 'string' ? zones.find((candidate) => fold(candidate.name) === fold(name)) : undefined;
  if (zone) return zone;
  throw new CodedError('BAD_MESSAGE', `msg.payload.zone must be one of: ${zones.map((candidate) => candidate.name).join(', ')}`);
}

const fold = (text: string): string => text.trim().normalize('NFC').toUpperCase();

const invalid = (why: string): CodedError => new CodedError('CONFIG_INVALID', `zones: ${why}`, { field: 'zones' });

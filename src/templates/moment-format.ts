/** Writes moments by Go's reference layouts (`2006-01-02 15:04:05`). */
import { CallError } from "./template-error.ts";
import type { Moment } from "./values.ts";

/** As Go prints a time without being told how. */
export function momentText(moment: Moment): string {
  return formatMoment(moment, "2006-01-02 15:04:05.999999999 -0700 MST");
}

const CHUNKS =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|0[1-6]|15|PM|pm|Z070000|Z07:00:00|Z0700|Z07:00|Z07|-070000|-07:00:00|-0700|-07:00|-07|[.,](?:0+|9+)(?!\d)|[1-5]/g;

/** A moment by a Go layout. */
export function formatMoment(moment: Moment, layout: string): string {
  const local = localTime(moment);
  return layout.replace(CHUNKS, (chunk) => formatChunk(local, chunk));
}

interface LocalTime {
  /** The wall clock's reading as if it were UTC. */
  readonly clock: Date;
  readonly offsetMinutes: number;
  readonly abbreviation: string;
}

const MAX_FORMATTERS = 64;
const formatters = new Map<string, Intl.DateTimeFormat>();

/**
 * Checks the name of a time zone and returns it.
 * @throws CallError if there is none of that name
 */
export function checkedZone(zone: string): string {
  formatterFor(zone);
  return zone;
}

function formatterFor(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  let formatter: Intl.DateTimeFormat;
  try {
    formatter = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      timeZoneName: "short",
    });
  } catch {
    throw new CallError(`unknown time zone ${zone}`);
  }
  if (formatters.size >= MAX_FORMATTERS) formatters.clear();
  formatters.set(zone, formatter);
  return formatter;
}

function localTime(moment: Moment): LocalTime {
  const fields: Record<string, string> = {};
  for (const { type, value } of formatterFor(moment.zone).formatToParts(moment.epochMs)) fields[type] = value;
  const milliseconds = ((moment.epochMs % 1000) + 1000) % 1000;
  const read = (name: string) => Number(fields[name]);
  const clock = new Date(
    Date.UTC(read("year"), read("month") - 1, read("day"), read("hour"), read("minute"), read("second"), milliseconds),
  );
  const offsetMinutes = Math.round((clock.getTime() - moment.epochMs) / 60_000);
  const name = fields["timeZoneName"] ?? "";
  const abbreviation = /^GMT[+-]/.test(name) ? offset(offsetMinutes, offsetMinutes % 60 === 0 ? "-07" : "-0700") : name;
  return { clock, offsetMinutes, abbreviation };
}

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function formatChunk(local: LocalTime, chunk: string): string {
  const { clock } = local;
  if (/^[Z-]07/.test(chunk)) return offset(local.offsetMinutes, chunk);
  if (/^[.,]/.test(chunk)) return fraction(clock.getUTCMilliseconds(), chunk);
  return dateChunk(clock, chunk) ?? timeChunk(local, chunk);
}

function dateChunk(clock: Date, chunk: string): string | undefined {
  const month = clock.getUTCMonth();
  const day = clock.getUTCDate();
  const year = clock.getUTCFullYear();
  switch (chunk) {
    case "January":
      return MONTHS[month];
    case "Jan":
      return MONTHS[month]!.slice(0, 3);
    case "Monday":
      return DAYS[clock.getUTCDay()];
    case "Mon":
      return DAYS[clock.getUTCDay()]!.slice(0, 3);
    case "2006":
      return String(year).padStart(4, "0");
    case "06":
      return two(year % 100);
    case "01":
      return two(month + 1);
    case "1":
      return String(month + 1);
    case "02":
      return two(day);
    case "_2":
      return String(day).padStart(2, " ");
    case "2":
      return String(day);
    case "002":
    case "__2":
      return String(dayOfYear(clock)).padStart(3, chunk === "002" ? "0" : " ");
    default:
      return undefined;
  }
}

function dayOfYear(clock: Date): number {
  const start = Date.UTC(clock.getUTCFullYear(), 0, 1);
  return Math.floor((clock.getTime() - start) / 86_400_000) + 1;
}

function timeChunk(local: LocalTime, chunk: string): string {
  const { clock } = local;
  const hour = clock.getUTCHours();
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  switch (chunk) {
    case "15":
      return two(hour);
    case "03":
      return two(twelve);
    case "3":
      return String(twelve);
    case "04":
      return two(clock.getUTCMinutes());
    case "4":
      return String(clock.getUTCMinutes());
    case "05":
      return two(clock.getUTCSeconds());
    case "5":
      return String(clock.getUTCSeconds());
    case "PM":
      return hour >= 12 ? "PM" : "AM";
    case "pm":
      return hour >= 12 ? "pm" : "am";
    default:
      return local.abbreviation;
  }
}

function fraction(milliseconds: number, chunk: string): string {
  const wanted = chunk.length - 1;
  const digits = String(milliseconds).padStart(3, "0").padEnd(9, "0").slice(0, wanted);
  if (chunk[1] === "0") return chunk[0]! + digits.padEnd(wanted, "0");
  const trimmed = digits.replace(/0+$/, "");
  return trimmed === "" ? "" : chunk[0]! + trimmed;
}

function offset(minutes: number, chunk: string): string {
  if (chunk.startsWith("Z") && minutes === 0) return "Z";
  const sign = minutes < 0 ? "-" : "+";
  const hours = two(Math.floor(Math.abs(minutes) / 60));
  const rest = two(Math.abs(minutes) % 60);
  switch (chunk.slice(1)) {
    case "07":
      return sign + hours;
    case "0700":
      return sign + hours + rest;
    case "07:00":
      return `${sign}${hours}:${rest}`;
    case "070000":
      return `${sign}${hours}${rest}00`;
    default:
      return `${sign}${hours}:${rest}:00`;
  }
}

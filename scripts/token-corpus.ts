/** Request bodies by category, and what real tokenizers count in them: what docs/token-estimates.md is measured on. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../src/lib/json.ts";

/** Counts a text. */
export type Count = (text: string) => number;

export interface Sample {
  readonly body: JsonObject;
  /** Everything the body says, as a tokenizer with the usual chat template counts it. */
  readonly count: (count: Count) => number;
}

const ROOT = join(import.meta.dirname, "..");

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Pieces of this project's documents and code as they once were: a sample that changes measures nothing. */
const pieces = (path: string): string[] => read(path).split("\f\n");

const paragraphs = (path: string): string[] =>
  read(path)
    .split("\n\n")
    .map((text) => text.trim());

/** OpenAI's cookbook: three tokens and the role around each message, three before the answer; a call is its name and arguments in markers. */
const AROUND_MESSAGE = 3;
const BEFORE_ANSWER = 3;
const AROUND_CALL = 4;

interface Message {
  readonly role: string;
  readonly content: string | null;
  readonly calls?: readonly { readonly name: string; readonly arguments: string }[];
}

function countMessages(messages: readonly Message[], count: Count): number {
  let tokens = BEFORE_ANSWER;
  for (const { role, content, calls = [] } of messages) {
    tokens += AROUND_MESSAGE + count(role) + count(content ?? "");
    for (const call of calls) tokens += AROUND_CALL + count(call.name) + count(call.arguments);
  }
  return tokens;
}

function chat(messages: readonly Message[], more: JsonObject = {}): Sample {
  const said = messages.map(({ role, content, calls }, index): JsonObject => {
    if (calls === undefined)
      return { role, content, ...(role === "tool" ? { tool_call_id: `call_${index}abcdef` } : {}) };
    const named = calls.map((call, at) => ({
      id: `call_${index}${at}Xk29dQ`,
      type: "function",
      function: { ...call },
    }));
    return { role, content, tool_calls: named };
  });
  return {
    body: { model: "gpt-5", messages: said, temperature: 0.7, max_tokens: 1_024, stream: true, ...more },
    count: (count) => countMessages(messages, count),
  };
}

const ask = (content: string): Sample => chat([{ role: "user", content }]);

/** The same conversation as Anthropic's API has it: a system prompt of its own and content in blocks. */
function anthropic(system: string, texts: readonly string[]): Sample {
  const messages = texts.map((content, index): Message => ({ role: index % 2 === 0 ? "user" : "assistant", content }));
  return {
    body: {
      model: "claude-sonnet-4-5",
      max_tokens: 1_024,
      system: [{ type: "text", text: system, cache_control: { type: "ephemeral" } }],
      messages: messages.map(({ role, content }) => ({ role, content: [{ type: "text", text: content }] })),
    },
    count: (count) => countMessages([{ role: "system", content: system }, ...messages], count),
  };
}

const WORDS = [
  "customer",
  "invoice",
  "order",
  "contract",
  "ticket",
  "warehouse",
  "employee",
  "meeting",
  "flight",
  "report",
];

function toolFor(word: string, size: number): JsonObject {
  const properties: JsonObject = {};
  for (let index = 0; index < size; index++) {
    const other = WORDS[(WORDS.indexOf(word) + index * 3 + 1) % WORDS.length]!;
    properties[`${other}_id`] = {
      type: "string",
      description: `The ${other} that the ${word} belongs to, as listed by search_${other}s.`,
    };
    if (index % 2 === 0) properties[`max_${other}s`] = { type: "integer", minimum: 1, maximum: 100, default: 10 };
    if (index % 3 === 0) properties["status"] = { type: "string", enum: ["open", "in_progress", "closed", "archived"] };
  }
  const parameters = {
    type: "object",
    properties,
    required: [`${Object.keys(properties)[0]}`],
    additionalProperties: false,
  };
  return {
    type: "function",
    function: {
      name: `search_${word}s`,
      description: `Finds each ${word} that matches the filters. Use it before you answer a question about a ${word}.`,
      parameters,
    },
  };
}

/** Most open models' chat templates and Anthropic show a model its tools as JSON. */
function withTools(tools: readonly JsonObject[], messages: readonly Message[]): Sample {
  const { body, count } = chat(messages, { tools: [...tools] });
  return {
    body,
    count: (tokens) => count(tokens) + tools.reduce((sum, tool) => sum + tokens(JSON.stringify(tool)) + 1, 0),
  };
}

function turns(texts: readonly string[]): Message[] {
  return texts.map((content, index) => ({ role: index % 2 === 0 ? "user" : "assistant", content }));
}

function shortTurns(seed: number, count: number): Message[] {
  const lines = [
    "Hi, are you there?",
    "Yes! How can I help you today?",
    "What's 17 * 23?",
    "391.",
    "thanks :)",
    "You're welcome. Anything else?",
    "can you book the small room for 3pm on Friday",
    "Done: room B2, Friday 15:00-16:00.",
    "ok and tell Maria",
    "I've sent Maria a message.",
    "hm, she says she can't make it. 4pm?",
    "Moved to 16:00. Maria has accepted.",
    "👍",
    "Great, see you then!",
  ];
  return turns(Array.from({ length: count }, (_, index) => lines[(seed * 2 + index) % lines.length]!));
}

function agentTurns(seed: number): Message[] {
  const messages: Message[] = [
    { role: "system", content: "You are a coding agent. Use the tools to read and change files." },
  ];
  for (let turn = 0; turn < 4; turn++) {
    const word = WORDS[(seed + turn) % WORDS.length]!;
    const call = {
      path: `src/${word}s/${word}-table.ts`,
      pattern: `find${word}\\(`,
      context: turn + 2,
      recursive: turn % 2 === 0,
    };
    const found = Array.from({ length: 6 }, (_, line) => ({
      line: 17 * (line + 1) + seed,
      text: `const ${word} = await find${word}(${word}Ids[${line}], { limit: ${line * 10} });`,
    }));
    messages.push(
      { role: "user", content: `Where do we look up a ${word}? Change it so that it takes a list.` },
      { role: "assistant", content: null, calls: [{ name: "search_files", arguments: JSON.stringify(call) }] },
      { role: "tool", content: JSON.stringify({ ok: true, matches: found, elapsed_ms: 12.5 + turn }) },
    );
  }
  return messages;
}

function records(seed: number): string {
  const rows = Array.from({ length: 12 }, (_, row) => ({
    id: `inv-${2_024_000 + seed * 97 + row}`,
    customer: WORDS[(seed + row) % WORDS.length],
    amount: { value: (seed * 31 + row * 17.35).toFixed(2), currency: row % 2 === 0 ? "EUR" : "USD" },
    paid: row % 3 === 0,
    issuedAt: `2026-0${1 + (row % 9)}-1${row % 10}T09:3${row % 10}:00Z`,
    tags: ["export", `region-${row % 5}`],
  }));
  return JSON.stringify({ invoices: rows, total: rows.length, next: null }, null, seed % 2 === 0 ? 2 : 0);
}

function table(seed: number): string {
  const rows = Array.from({ length: 14 }, (_, row) => {
    const word = WORDS[(seed + row) % WORDS.length]!;
    return `| ${word} | ${(seed + 3) * (row + 7)} | ${(row * 3.7 + seed).toFixed(1)} % | ${row % 2 === 0 ? "yes" : "no"} | see \`${word}s.md\` |`;
  });
  return ["| name | count | share | active | notes |", "|---|---:|---:|:---:|---|", ...rows].join("\n");
}

const OTHER_LANGUAGES = [
  "Das Gateway hält für jeden Anbieter einen Verbindungspool und leitet jedes Stück sofort weiter. Antwortet ein Knoten nicht mehr, wird die Anfrage anderswo wiederholt, außer wenn der Kunde schon einen Teil der Antwort gesehen hat.",
  "La passerelle garde une réserve de connexions pour chaque fournisseur et transmet chaque morceau dès son arrivée. Si un nœud ne répond plus, la requête est renvoyée ailleurs, sauf si le client a déjà vu une partie de la réponse.",
  "La pasarela mantiene un grupo de conexiones para cada proveedor y reenvía cada fragmento en cuanto llega. Si un nodo deja de responder, la petición se repite en otro, salvo que el cliente ya haya visto parte de la respuesta.",
  "Шлюз держит отдельный пул соединений для каждого поставщика и сразу передаёт клиенту всё, что пришло. Если узел перестал отвечать, запрос повторяется на другом узле, если только клиент ещё не видел части ответа.",
  "게이트웨이는 공급자마다 연결 풀을 유지하고 데이터가 도착하는 즉시 클라이언트에 전달합니다. 노드가 응답하지 않으면 클라이언트가 답변의 일부를 이미 본 경우가 아니라면 다른 노드에서 요청을 다시 시도합니다.",
];

/** All categories; within one the samples are of its kind only. */
export function corpus(): ReadonlyMap<string, readonly Sample[]> {
  const english = paragraphs("scripts/token-texts/english.txt");
  const chinese = paragraphs("scripts/token-texts/chinese.txt");
  const japanese = paragraphs("scripts/token-texts/japanese.txt");
  const docs = pieces("scripts/token-texts/markdown.txt");
  const code = pieces("scripts/token-texts/code.txt");
  const seeds = Array.from({ length: 20 }, (_, seed) => seed);
  return new Map<string, readonly Sample[]>([
    ["English prose", english.map(ask)],
    ["Chinese prose", chinese.map(ask)],
    ["Japanese prose", japanese.map(ask)],
    ["German, French, Spanish, Russian, Korean", OTHER_LANGUAGES.map(ask)],
    ["technical Markdown", docs.map(ask)],
    ["source code (TypeScript, Python)", code.map(ask)],
    ["JSON in a message", seeds.map((seed) => ask(records(seed)))],
    ["Markdown tables", seeds.map((seed) => ask(table(seed)))],
    [
      "tool schemas",
      seeds.map((seed) =>
        withTools(
          WORDS.slice(0, 1 + (seed % 8)).map((word) => toolFor(word, 1 + (seed % 5))),
          turns(["Which orders are late?"]),
        ),
      ),
    ],
    ["tool calls and results", seeds.map((seed) => chat(agentTurns(seed)))],
    ["many short messages", seeds.map((seed) => chat(shortTurns(seed, 4 + seed * 3)))],
    [
      "one short message",
      [
        "Hi",
        "What time is it?",
        "Say this is a test",
        "ping",
        "Translate 'good morning' into French.",
        "Write a haiku about snow.",
      ].map(ask),
    ],
    [
      "long mixed chat, Anthropic form",
      seeds.slice(0, 8).map((seed) =>
        anthropic(
          english[5]!,
          Array.from({ length: 41 }, (_, turn) => [english, docs, code, chinese][turn % 4]![(seed * 7 + turn) % 10]!),
        ),
      ),
    ],
    [
      "long repeated text",
      seeds.slice(0, 8).map((seed) => ask(`${english[seed]!.slice(0, 120 + 40 * seed)}\n`.repeat(40 * (seed + 1)))),
    ],
  ]);
}

// The official OpenAI SDK through Sluice: only base URL and key differ from calling the vendor.
//
//   npm install openai
//   SLUICE_KEY=sk-sluice-… node sdk-openai.mjs
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.SLUICE_URL ?? "http://localhost:8080"}/v1`,
  apiKey: process.env.SLUICE_KEY,
});
const model = process.env.SLUICE_MODEL ?? "echo";
const messages = [{ role: "user", content: "Hello from the OpenAI SDK!" }];

const answer = await client.chat.completions.create({ model, messages });
console.log(answer.choices[0].message.content);

const stream = await client.chat.completions.create({ model, messages, stream: true });
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
console.log();

for await (const { id } of client.models.list()) console.log(`model: ${id}`);

// The official Anthropic SDK through Sluice, with whatever provider behind it. The base URL has no /v1: the SDK adds it.
//
//   npm install @anthropic-ai/sdk
//   SLUICE_KEY=sk-sluice-… node sdk-anthropic.mjs
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({
  baseURL: process.env.SLUICE_URL ?? "http://localhost:8080",
  apiKey: process.env.SLUICE_KEY,
});
const request = {
  model: process.env.SLUICE_MODEL ?? "echo",
  max_tokens: 200,
  messages: [{ role: "user", content: "Hello from the Anthropic SDK!" }],
};

const message = await client.messages.create(request);
console.log(message.content[0].text);

const stream = client.messages.stream(request);
stream.on("text", (text) => process.stdout.write(text));
await stream.finalMessage();
console.log();

const { model, messages } = request;
const { input_tokens: tokens } = await client.messages.countTokens({ model, messages });
console.log(`prompt tokens: ${tokens}`);

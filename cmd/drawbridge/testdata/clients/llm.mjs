// usage: node llm.mjs LLM_URL KEY MODEL   the openai package, as OpenAI and as AzureOpenAI, plain and streaming
import OpenAI, { AzureOpenAI } from 'openai';

const [base, key, model] = process.argv.slice(2); // base: {public_url}/llm
const messages = [{ role: 'system', content: 'You are terse.' }, { role: 'user', content: 'Say hello to the drawbridge.' }];

async function chat(client) {
  const plain = await client.chat.completions.create({ model, messages });
  let streamed = '', finish, usage, chunks = 0;
  const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) {
    chunks++;
    streamed += chunk.choices[0]?.delta?.content ?? '';
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  let quiet = false; // a usage chunk although nobody asked
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
    quiet ||= Boolean(chunk.usage);
  }
  return { text: plain.choices[0].message.content, finish: plain.choices[0].finish_reason, usage: plain.usage, streamed, streamedFinish: finish, streamedUsage: usage, chunks, unasked: quiet };
}

async function refused(client, body) {
  try {
    await client.chat.completions.create(body);
    return null;
  } catch (e) {
    return { status: e.status, code: e.code, type: e.type, name: e.constructor.name, message: e.message, request_id: e.requestID };
  }
}

const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0 });
const azure = new AzureOpenAI({ endpoint: base, apiKey: key, apiVersion: '2024-10-21', deployment: model, maxRetries: 0 });
console.log(JSON.stringify({
  models: (await openai.models.list()).data.map(m => m.id),
  openai: await chat(openai),
  azure: await chat(azure),
  wrongKey: await refused(new OpenAI({ baseURL: `${base}/v1`, apiKey: 'dbk_wrong_000000000000000000000000', maxRetries: 0 }), { model, messages }),
  wrongModel: await refused(openai, { model: 'no-such-model', messages }),
}));

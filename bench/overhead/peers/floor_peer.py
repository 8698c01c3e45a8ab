"""What cannot be done with less: an asyncio loop that asks the model over HTTP, runs the code of the reply in this
process and feeds back what it printed. It keeps nothing, isolates nothing and retries nothing."""

import asyncio
import json
import re
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import StringIO
from urllib.parse import urlsplit

from serve import serve

ITERATIONS = 50
# Code that waits for its sub-agents holds a thread.
THREADS = ThreadPoolExecutor(1000)


class Final(BaseException):
    pass


class Model:
    """One connection to the model, kept between calls."""

    def __init__(self, request):
        self.name, self.url = request["model"], urlsplit(request["base_url"])
        self.streams = None

    async def ask(self, messages):
        self.streams = self.streams or await asyncio.open_connection(self.url.hostname, self.url.port, limit=2**24)
        reader, writer = self.streams
        body = json.dumps({"model": self.name, "messages": messages}).encode()
        head = (
            f"POST {self.url.path}/chat/completions HTTP/1.1\r\nHost: {self.url.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.search(r"(?i)^content-length: (\d+)", answer, re.M)[1])
        reply = await reader.readexactly(length)
        if not answer.startswith("HTTP/1.1 200"):
            raise RuntimeError(reply.decode())
        return json.loads(reply)["choices"][0]["message"]["content"]

    def close(self):
        if self.streams:
            self.streams[1].close()


async def agent(request, task, depth=0):
    loop = asyncio.get_running_loop()
    slots = asyncio.Semaphore(request["max_parallel"])

    async def child(text):
        async with slots:
            return await agent(request, text, depth + 1)

    async def children(texts):
        return await asyncio.gather(*map(child, texts))

    def rlm_query_batched(texts):
        if depth >= request["max_depth"]:
            raise RuntimeError("no deeper")
        return asyncio.run_coroutine_threadsafe(children(texts), loop).result()

    def final(answer):
        raise Final(answer)

    output = StringIO()
    variables = {
        "task": task,
        "print": partial(print, file=output),
        "FINAL": final,
        "rlm_query_batched": rlm_query_batched,
        "rlm_query": lambda text: rlm_query_batched([text])[0],
    }
    messages = [{"role": "user", "content": task}]
    model = Model(request)
    try:
        for _ in range(ITERATIONS):
            reply = await model.ask(messages)
            code = re.search(r"```python\n(.*?)\n```", reply, re.S)[1]
            output.seek(0)
            output.truncate()
            try:
                await loop.run_in_executor(THREADS, exec, code, variables)
            except Final as end:
                return end.args[0]
            except Exception:
                output.write(traceback.format_exc())
            messages += [{"role": "assistant", "content": reply}, {"role": "user", "content": output.getvalue()}]
        raise RuntimeError("its iterations are used up")
    finally:
        model.close()


serve(lambda request: asyncio.run(agent(request, request["task"])))

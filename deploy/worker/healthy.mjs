// Exit code 0 when the address answers 2xx: the image has no curl.
const [address = ''] = process.argv.slice(2);
const { ok, status } = await fetch(address, { signal: AbortSignal.timeout(4000) });
if (!ok) console.error(`${address} answers ${status}`);
process.exit(ok ? 0 : 1);

// Keeps the page for visits without a network, and adds the headers that allow threads, for hosts
// that cannot send them. Files whose address holds a version (?v=) never change; the others are
// asked for first, so that a new version of the page is seen at once.

importScripts("files.js");

const KEPT = `zoo-${self.ZOO.version}`;
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

self.addEventListener("install", (event) => {
  const fill = async () => (await caches.open(KEPT)).addAll(["./", ...self.ZOO.files]);
  event.waitUntil(fill().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith("zoo-") && name !== KEPT);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  event.respondWith(answer(event.request, url.searchParams.has("v")));
});

async function answer(request, fixed) {
  const cache = await caches.open(KEPT);
  const found = () => cache.match(request, { ignoreSearch: !fixed });
  const fresh = async () => {
    const response = await fetch(request);
    if (response.status === 200) await cache.put(request, response.clone()).catch(() => {});
    return response;
  };
  let response = fixed ? await found() : null;
  try {
    response ??= await fresh();
  } catch (error) {
    response = await found();
    if (!response) throw error;
  }
  if (response.status !== 200) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: 200, headers });
}

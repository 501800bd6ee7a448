/**
 * Parts of the program are fetched when they are needed, and the server may be away just then: so
 * they are asked for again. Knows no part, and not how a failure is told.
 */

/** Milliseconds before the tries after the first: a server that is started anew is back by then. */
const WAITS = [250, 750, 2000];
const LONGEST = 15_000;

/**
 * Fetches a part, and again where that fails. After a few tries `onAway` is called once with what
 * failed, and the part is asked for ever more seldom until it is here; without `onAway` it fails.
 */
export async function fetchWithRetry<Part>(
  fetchPart: () => Promise<Part>,
  onAway?: (error: unknown) => void,
): Promise<Part> {
  const lost = new Set<string>();
  for (let tries = 0; ; tries += 1) {
    try {
      await Promise.all([...lost].map((each) => fetchStyles(each)));
      lost.clear();
      return await whileNoting(lost, fetchPart);
    } catch (error) {
      if (tries === WAITS.length) {
        if (onAway === undefined) throw error;
        onAway(error);
      }
      await pause(WAITS[tries] ?? Math.min(500 * 2 ** tries, LONGEST));
    }
  }
}

/** The same of what nobody asked for: whoever does while the server is away is told then. */
export function fetchSilently<Part>(fetchPart: () => Promise<Part>): Promise<Part> {
  return fetchWithRetry(fetchPart, () => undefined);
}

/**
 * The bundler asks for the style sheets of a part once only, whatever becomes of them: those that
 * did not come meanwhile are noted by their addresses, and taken out of the page.
 */
async function whileNoting<Part>(lost: Set<string>, fetchPart: () => Promise<Part>): Promise<Part> {
  const note = ({ target }: Event) => {
    if (!(target instanceof HTMLLinkElement) || target.rel !== "stylesheet") return;
    lost.add(target.href);
    target.remove();
  };
  document.addEventListener("error", note, { capture: true });
  try {
    return await fetchPart();
  } finally {
    document.removeEventListener("error", note, { capture: true });
  }
}

/** Puts a style sheet into the page, unless another part that needs it has done so. */
function fetchStyles(address: string): Promise<void> {
  const known = [...document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]")];
  if (known.some(({ href }) => href === address)) return Promise.resolve();
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = address;
  return new Promise((done, fail) => {
    link.addEventListener("load", () => done());
    link.addEventListener("error", () => {
      link.remove();
      fail(new Error(`Unable to preload CSS for ${address}`));
    });
    document.head.append(link);
  });
}

/** Waits, but no longer than the network is gone. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => {
    const goOn = () => {
      clearTimeout(timer);
      window.removeEventListener("online", goOn);
      done();
    };
    const timer = setTimeout(goOn, milliseconds);
    window.addEventListener("online", goOn);
  });
}

/**
 * Loads parts of the program on demand, with retries, since the server may be unreachable at that
 * moment. Callers decide how a failure is shown.
 */

/** Delays before the retries in milliseconds: a server that is restarted is back by then. */
const WAITS = [250, 750, 2000];
const LONGEST = 15_000;

/**
 * Loads a part, and retries on failure. After `WAITS.length` retries `onAway` is called once with
 * the error, and retries go on at growing intervals until one succeeds; without `onAway` the error
 * is thrown.
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

/** The same for a part that the user has not requested yet: no failure is reported. */
export function fetchSilently<Part>(fetchPart: () => Promise<Part>): Promise<Part> {
  return fetchWithRetry(fetchPart, () => undefined);
}

/**
 * The bundler requests the style sheets of a part only once, whether or not that succeeds. Collects
 * the addresses of those that failed in `lost`, and removes their elements from the page.
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

/** Adds a style sheet to the page, unless another part has already added it. */
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

/** Waits for a time, or until the network is back if that is earlier. */
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

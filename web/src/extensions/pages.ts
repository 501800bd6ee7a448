/**
 * Pages of plugins in their frames. A page whose place on the screen is gone (its node was scrolled
 * away, its panel closed, another document shown) is kept with its state, and moved back when the
 * place returns. Browsers without `moveBefore` load it anew then.
 */
import { extensionUrl } from "../api/client";
import {
  EXTENSION_API,
  type MessageFromPage,
  type MessageToPage,
  readMessage,
} from "../api/extensions";
import { handlePageKey } from "../state/commands/keymap";
import { useStudio } from "../state/session/studio";

/** Pages that are kept out of sight; beyond it, the one that was seen longest ago ends. */
const MOST_KEPT = 24;
/** Messages of a page out of sight that are kept for its return. */
const MOST_WAITING = 64;

interface Listener {
  onReady: (count: number) => void;
  onMessage: (message: MessageFromPage) => void;
}

export class PluginPage {
  readonly element: HTMLIFrameElement;
  /** How often the page has said that it is ready: a reloaded page needs its content again. */
  ready = 0;
  /** What the page was last told, in short. */
  told = "";
  #listener: Listener | null = null;
  #waiting: MessageFromPage[] = [];

  constructor(pack: string, page: string, title: string, height: number) {
    const element = document.createElement("iframe");
    element.className = "plugin-frame";
    element.title = title;
    element.src = extensionUrl(pack, page);
    element.sandbox.add("allow-scripts");
    element.referrerPolicy = "no-referrer";
    element.style.height = `${height}px`;
    element.style.visibility = "hidden";
    this.element = element;
    window.addEventListener("message", this.#onWindowMessage);
  }

  send(message: Omit<MessageToPage, "calotype">): void {
    // The page's origin is opaque, so a message cannot name it as its target.
    this.element.contentWindow?.postMessage({ calotype: EXTENSION_API, ...message }, "*");
  }

  /** Shows the page in a place, which from now on receives its messages. */
  show(slot: HTMLElement, listener: Listener): void {
    move(this.element, slot);
    this.element.style.removeProperty("width");
    this.#listener = listener;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) listener.onMessage(each);
  }

  hide(room: HTMLElement): void {
    this.#listener = null;
    // As wide as it was, so that nothing in it is laid out anew.
    this.element.style.width = `${this.element.offsetWidth}px`;
    move(this.element, room);
  }

  end(): void {
    window.removeEventListener("message", this.#onWindowMessage);
    this.element.remove();
  }

  #onWindowMessage = (event: MessageEvent): void => {
    if (event.source === null || event.source !== this.element.contentWindow) return;
    const message = readMessage(event.data);
    if (message === null) return;
    if (message.type === "ready") {
      this.ready += 1;
      this.element.style.visibility = "visible";
      this.#listener?.onReady(this.ready);
    } else if (message.type === "size") this.element.style.height = `${message.height}px`;
    else if (message.type === "key") {
      if (document.activeElement === this.element) handlePageKey(message);
    } else if (this.#listener !== null) this.#listener.onMessage(message);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(message);
  };
}

function move(element: Element, to: HTMLElement): void {
  if (element.isConnected && canMove(element, to)) to.moveBefore(element, null);
  else to.append(element);
}

/** Whether the browser moves an element without loading its page anew. */
function canMove(element: Element, to: HTMLElement): boolean {
  return "moveBefore" in to && to.isConnected && element.ownerDocument === to.ownerDocument;
}

interface Kept {
  name: string;
  tab: string | null;
  page: PluginPage;
}

/** The pages out of sight. */
class KeptPages {
  #kept: Kept[] = [];
  #room: HTMLElement | null = null;

  /** The page of this name for a place, if one is kept. */
  take(name: string, slot: HTMLElement): PluginPage | null {
    const found = this.#kept.find((each) => each.name === name && canMove(each.page.element, slot));
    this.#kept = this.#kept.filter((each) => each !== found);
    return found?.page ?? null;
  }

  keep(kept: Kept): void {
    const room = this.#roomFor();
    if (!canMove(kept.page.element, room) || !isOpen(kept.tab)) {
      kept.page.end();
      return;
    }
    kept.page.hide(room);
    this.#kept.push(kept);
    if (this.#kept.length > MOST_KEPT) this.#kept.shift()?.page.end();
  }

  #roomFor(): HTMLElement {
    if (this.#room !== null) return this.#room;
    const room = document.createElement("div");
    room.className = "plugin-room";
    room.inert = true;
    document.body.append(room);
    this.#room = room;
    useStudio.subscribe(({ tabs }, before) => {
      if (tabs !== before.tabs) this.#endClosed();
    });
    return room;
  }

  /** Ends the pages of documents that were closed. */
  #endClosed(): void {
    const [open, closed] = [[] as Kept[], [] as Kept[]];
    for (const each of this.#kept) (isOpen(each.tab) ? open : closed).push(each);
    this.#kept = open;
    for (const { page } of closed) page.end();
  }
}

function isOpen(tab: string | null): boolean {
  return tab === null || useStudio.getState().tabs.some(({ id }) => id === tab);
}

export const keptPages = new KeptPages();

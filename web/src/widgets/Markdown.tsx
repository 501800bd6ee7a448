/**
 * Markdown as React elements. The text is not trusted: raw HTML in it stays text, only the tags
 * below become elements, links open in a new tab, and images load from this server only.
 */
import { createElement, Fragment, type ReactNode, useEffect, useState } from "react";
import { t } from "../words/words";
import { fetchWithRetry } from "./fetchWithRetry";
import "./markdown.css";

interface Props {
  text: string;
}

/** The parser is loaded when the first text is shown; until then the text is shown unformatted. */
export function Markdown({ text }: Props) {
  const [shown, setShown] = useState<{ of: string; made: ReactNode } | null>(null);
  useEffect(() => {
    let ended = false;
    const make = async () => {
      const [{ micromark }, { gfm, gfmHtml }] = await fetchWithRetry(() =>
        Promise.all([import("micromark"), import("micromark-extension-gfm")]),
      );
      if (ended) return;
      const html = micromark(text, { extensions: [gfm()], htmlExtensions: [gfmHtml()] });
      setShown({ of: text, made: elementsOf(html) });
    };
    void make();
    return () => {
      ended = true;
    };
  }, [text]);
  return <div className="markdown">{shown === null ? <p>{text}</p> : shown.made}</div>;
}

/** Parses into a detached document: no script in it runs, and nothing is loaded. */
function elementsOf(html: string): ReactNode {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  return childrenOf(body);
}

const TAGS: ReadonlySet<string> = new Set(
  "p h1 h2 h3 h4 h5 h6 em strong del code pre blockquote ul ol li hr br table thead tbody tr th td sup section".split(
    " ",
  ),
);

function childrenOf(element: Element): ReactNode[] {
  return [...element.childNodes].map((node, index) => {
    if (node instanceof Text) return node.data;
    if (!(node instanceof Element)) return null;
    // biome-ignore lint/suspicious/noArrayIndexKey: parts of a text are identified by their index
    return <Fragment key={index}>{elementOf(node)}</Fragment>;
  });
}

function elementOf(element: Element): ReactNode {
  const tag = element.localName;
  if (tag === "a") return linkOf(element);
  if (tag === "img") return pictureOf(element);
  if (tag === "input") {
    const checked = element.hasAttribute("checked");
    const label = checked ? t("done") : t("to do");
    return <input type="checkbox" aria-label={label} checked={checked} disabled readOnly />;
  }
  if (!TAGS.has(tag)) return childrenOf(element);
  const children = childrenOf(element);
  return createElement(tag, null, ...(children.length === 0 ? [] : children));
}

function linkOf(element: Element): ReactNode {
  const address = addressOf(element.getAttribute("href"));
  if (address === null) return childrenOf(element);
  return (
    <a href={address.href} target="_blank" rel="noopener noreferrer" className="nodrag">
      {childrenOf(element)}
    </a>
  );
}

/** Images on other servers become links, so that viewing a note sends no request to them. */
function pictureOf(element: Element): ReactNode {
  const address = addressOf(element.getAttribute("src"));
  const words = element.getAttribute("alt") ?? "";
  if (address === null) return words;
  if (address.origin === window.location.origin) {
    return <img src={address.href} alt={words} draggable={false} loading="lazy" />;
  }
  return (
    <a href={address.href} target="_blank" rel="noopener noreferrer" className="nodrag">
      {words === "" ? address.href : words}
    </a>
  );
}

function addressOf(text: string | null): URL | null {
  if (text === null || text === "" || text.startsWith("#")) return null;
  if (!URL.canParse(text, window.location.href)) return null;
  const address = new URL(text, window.location.href);
  return ["http:", "https:", "mailto:"].includes(address.protocol) ? address : null;
}

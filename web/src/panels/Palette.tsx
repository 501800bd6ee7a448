/** Add a node, or put one in another's place: type a few letters of its name, or look through the categories. */
import { Search } from "lucide-react";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { add } from "../state/actions";
import { blueprintCatalog, refreshBlueprints, useBlueprints } from "../state/blueprints";
import { addIntoWire } from "../state/connecting";
import { socketsFor } from "../state/fitting";
import { type Offer, offersOf, parentOf } from "../state/offers";
import { completed, completions } from "../state/query";
import { lossOf, planOf, replaceNodes } from "../state/replacing";
import { nameOf } from "../state/sockets";
import { activeTab, schemaOf, titleOf, useActive, useStudio } from "../state/studio";
import { openSheet, type Palette as PaletteValue, useView } from "../state/view";
import { letTabAdd } from "../state/walking";
import { t } from "../words/words";
import { useFocusBack } from "./focusBack";
import { NodeAbout } from "./NodeAbout";
import { idOf, Legend, OfferList } from "./OfferList";
import "./palette.css";
import { shownKey } from "../state/keymap";

const WIDTH = 720;
const HEIGHT = 460;

export function Palette() {
  const palette = useView((state) => state.palette);
  return palette === null ? null : <Open palette={palette} />;
}

function useOffers(palette: PaletteValue, typed: string, path: string | null) {
  const nodes = useStudio((state) => state.catalog);
  const blueprints = useBlueprints((state) => state.all);
  useEffect(() => void refreshBlueprints(), []);
  const catalog = useMemo(
    () => (blueprints === null ? nodes : { ...nodes, ...blueprintCatalog(blueprints) }),
    [nodes, blueprints],
  );
  const graph = useActive((tab) => tab.graph);
  const used = useView((state) => state.used);
  const recent = useView((state) => state.recent);
  return useMemo(
    () => offersOf({ catalog, graph, habits: { used, recent }, palette, typed, path }),
    [catalog, graph, used, recent, palette, typed, path],
  );
}

function Open({ palette }: { palette: PaletteValue }) {
  const catalog = useStudio((state) => state.catalog);
  const [typed, setTyped] = useState("");
  const [path, setPath] = useState<string | null>(null);
  const [at, setAt] = useState(0);
  const [turn, setTurn] = useState(0);
  const [count, setCount] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const groups = useOffers(palette, typed, path);
  const offers = useMemo(() => groups.flatMap((each) => each.offers), [groups]);
  const chosen = offers[at];
  const schema = chosen?.kind === "node" ? chosen.found.schema : undefined;
  const sockets =
    palette.pulled === null || schema === undefined ? [] : socketsFor(schema, palette.pulled);
  const socket = sockets[turn % Math.max(sockets.length, 1)];
  const hints = useMemo(() => completions(catalog, typed), [catalog, typed]);
  useCloseOutside(box);
  useFocusBack();

  const choose = (index: number) => {
    setAt(index);
    setTurn(0);
  };
  const type = (text: string) => {
    setTyped(text);
    setPath(null);
    choose(0);
    input.current?.focus();
  };
  const enter = (next: string | null) => {
    setPath(next);
    choose(0);
  };
  const take = (offer: Offer | undefined, stay: boolean) => {
    if (offer === undefined) return;
    if (offer.kind === "category") {
      enter(offer.path);
      return;
    }
    const { schema: wanted } = offer.found;
    if (!stay) close();
    // Many add one node after the other.
    letTabAdd(true);
    if (palette.replaces !== undefined) replaceNodes(palette.replaces, wanted);
    else if (palette.into !== undefined) addIntoWire(wanted, palette.into, palette.at);
    else {
      // Those that are added in a row lie side by side, and only the first ends the wire.
      const place = { x: palette.at.x + count * 32, y: palette.at.y + count * 32 };
      add(wanted, place, count === 0 ? palette.pulled : null, count === 0 ? socket : undefined);
    }
    setCount(count + 1);
  };
  const key = (event: KeyboardEvent) => {
    event.stopPropagation();
    const isBlank = typed === "";
    if (event.key === "ArrowDown") choose(Math.min(at + 1, offers.length - 1));
    else if (event.key === "ArrowUp") choose(Math.max(at - 1, 0));
    else if (event.key === "PageDown") choose(Math.min(at + 10, offers.length - 1));
    else if (event.key === "PageUp") choose(Math.max(at - 10, 0));
    else if (event.key === "F1" && schema !== undefined) showHelp(schema.class_type);
    else if (event.key === "Enter") take(chosen, event.shiftKey && palette.replaces === undefined);
    else if (event.key === "ArrowRight" && isBlank && chosen?.kind === "category")
      take(chosen, true);
    else if ((event.key === "ArrowLeft" || event.key === "Backspace") && isBlank && path !== null) {
      enter(path.includes("/") ? parentOf(path) : null);
    } else if (event.key === "Tab" && hints[0] !== undefined) type(completed(typed, hints[0]));
    else if (event.key === "Tab" && sockets.length > 1) {
      setTurn(turn + (event.shiftKey ? sockets.length - 1 : 1));
    } else if (event.key === "Escape" && typed !== "") type("");
    else if (event.key === "Escape" || event.key === "Tab") {
      // Whoever leaves it so may be on the way through by Tab.
      letTabAdd(false);
      close();
    } else return;
    event.preventDefault();
  };
  const left = Math.max(8, Math.min(palette.screen.x, window.innerWidth - WIDTH - 8));
  const top = Math.max(8, Math.min(palette.screen.y, window.innerHeight - HEIGHT - 8));
  return (
    <div
      ref={box}
      role="dialog"
      aria-label={palette.replaces === undefined ? t("Add a node") : t("Replace the node")}
      className="palette"
      style={{ left, top, width: WIDTH, height: HEIGHT }}
      onKeyDown={key}
    >
      <div className="search">
        <Search size={15} aria-hidden />
        <input
          ref={input}
          role="combobox"
          aria-expanded
          aria-controls="palette-list"
          aria-autocomplete="list"
          aria-activedescendant={chosen === undefined ? undefined : idOf(chosen)}
          // biome-ignore lint/a11y/noAutofocus: the palette was just opened to type into it
          autoFocus
          aria-label={t("Name of a node")}
          placeholder={placeholderOf(palette)}
          value={typed}
          onChange={(event) => type(event.currentTarget.value)}
        />
        {socket !== undefined && palette.pulled !== null && schema !== undefined && (
          <span className="joins" aria-live="polite">
            {palette.pulled.side === "output"
              ? t("joins → {{socket}}", { socket })
              : t("{{socket}} → joins", { socket: schema.outputs[Number(socket)]?.name ?? "" })}
            {sockets.length > 1 && <kbd>{shownKey("Tab")}</kbd>}
          </span>
        )}
      </div>
      {hints.length > 0 && (
        <div className="hints">
          {hints.map((each, index) => (
            <button
              key={each}
              type="button"
              tabIndex={-1}
              onClick={() => type(completed(typed, each))}
            >
              {each}
              {index === 0 && <kbd>{shownKey("Tab")}</kbd>}
            </button>
          ))}
        </div>
      )}
      <div className="columns">
        <OfferList
          groups={groups}
          at={at}
          nothing={nothingText(palette)}
          onPoint={choose}
          onTake={(offer, event) => take(offer, event.shiftKey)}
        />
        {schema !== undefined && (
          <NodeAbout
            schema={schema}
            joined={socket ?? null}
            side={palette.pulled?.side ?? null}
            onHelp={() => showHelp(schema.class_type)}
            loss={lossIn(palette, schema.class_type)}
          />
        )}
      </div>
      <Legend
        replaces={palette.replaces !== undefined}
        onPick={(sign) => type(`${typed === "" ? "" : `${typed.trimEnd()} `}${sign}`)}
      />
    </div>
  );
}

function close(): void {
  useView.setState({ palette: null });
}

function showHelp(type: string): void {
  useView.setState({ helpOf: type });
  openSheet("help");
}

function useCloseOutside(box: React.RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const away = (event: globalThis.PointerEvent) => {
      const isAbove = event.target instanceof Element && event.target.closest("dialog") !== null;
      if (!isAbove && !box.current?.contains(event.target as Node)) close();
    };
    window.addEventListener("pointerdown", away, true);
    return () => window.removeEventListener("pointerdown", away, true);
  }, [box]);
}

function placeholderOf({ pulled, into, replaces }: PaletteValue): string {
  if (replaces !== undefined) {
    const { graph } = activeTab();
    const node = graph.nodes[replaces[0] ?? ""];
    const title = node === undefined ? "" : titleOf(node, schemaOf(node.type));
    return t("Replace {{title}} with…", { title });
  }
  if (into !== undefined) return t("Insert into the wire");
  if (pulled === null) return t("Add a node");
  const type = nameOf(pulled.type);
  return pulled.side === "output"
    ? t("Nodes that take {{type}}", { type })
    : t("Nodes that make {{type}}", { type });
}

function nothingText({ pulled, into }: PaletteValue): string {
  if (into !== undefined) return t("No node of this name fits into the wire.");
  if (pulled !== null) return t("No node of this name fits the wire.");
  return t("No node is called that.");
}

function lossIn({ replaces }: PaletteValue, type: string): string | null | undefined {
  const { graph } = activeTab();
  const old = graph.nodes[replaces?.[0] ?? ""];
  const schema = schemaOf(type);
  if (old === undefined || schema === undefined) return undefined;
  return lossOf(graph, old, planOf(graph, old, schema));
}

/** Add a node: type a few letters of its name. A wire that was pulled narrows the list. */
import { Search } from "lucide-react";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { add } from "../state/actions";
import { colourOf, familyOf } from "../state/kinds";
import { type Found, search } from "../state/search";
import { nameOf } from "../state/sockets";
import { activeTab, useStudio } from "../state/studio";
import { type Palette as PaletteValue, useView } from "../state/view";

const WIDTH = 560;
const HEIGHT = 400;
const DRAWN = 80;

export function Palette() {
  const palette = useView((state) => state.palette);
  return palette === null ? null : <Open palette={palette} />;
}

/** Where the palette opens when no pointer says where. */
export function screenMiddle(): PaletteValue {
  const screen = { x: window.innerWidth / 2 - WIDTH / 2, y: window.innerHeight / 4 };
  const { x, y, zoom } = activeTab().viewport ?? { x: 0, y: 0, zoom: 1 };
  const middle = { x: window.innerWidth / 2 - 120, y: window.innerHeight / 3 };
  return { screen, at: { x: (middle.x - x) / zoom, y: (middle.y - y) / zoom }, pulled: null };
}

function Open({ palette }: { palette: PaletteValue }) {
  const catalog = useStudio((state) => state.catalog);
  const used = useView((state) => state.used);
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const found = useMemo(
    () => search(catalog, typed, used, palette.pulled).slice(0, DRAWN),
    [catalog, typed, used, palette.pulled],
  );
  const chosen = found[at];

  useEffect(() => {
    const away = (event: globalThis.PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) close();
    };
    window.addEventListener("pointerdown", away, true);
    return () => window.removeEventListener("pointerdown", away, true);
  }, []);
  useEffect(() => {
    list.current?.children[at]?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const choose = (each: Found | undefined) => {
    if (each === undefined) return;
    close();
    add(each.schema, palette.at, palette.pulled);
  };
  const key = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "ArrowDown") setAt(Math.min(at + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (event.key === "Enter") choose(chosen);
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
  };
  const left = Math.max(8, Math.min(palette.screen.x, window.innerWidth - WIDTH - 8));
  const top = Math.max(8, Math.min(palette.screen.y, window.innerHeight - HEIGHT - 8));
  return (
    <div
      ref={box}
      role="dialog"
      aria-label="Add a node"
      className="palette"
      style={{ left, top, width: WIDTH, height: HEIGHT }}
      onKeyDown={key}
    >
      <div className="search">
        <Search size={15} aria-hidden />
        <input
          // biome-ignore lint/a11y/noAutofocus: the palette was just opened to type into it
          autoFocus
          aria-label="Name of a node"
          placeholder={
            palette.pulled === null
              ? "Add a node"
              : `Nodes ${palette.pulled.side === "output" ? "that take" : "that make"} ${nameOf(palette.pulled.type)}`
          }
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            setAt(0);
          }}
        />
        <kbd>Enter</kbd>
      </div>
      <div className="columns">
        <div ref={list} role="listbox" aria-label="Nodes" className="list">
          {found.map((each, index) => (
            <div
              key={each.schema.class_type}
              role="option"
              tabIndex={-1}
              aria-selected={index === at}
              className={index === at ? "found at" : "found"}
              onPointerMove={() => setAt(index)}
              onPointerDown={(event) => {
                event.preventDefault();
                choose(each);
              }}
            >
              <span className="name">
                <Marked text={each.schema.display_name} marks={each.marks} />
              </span>
              <span className="where">{each.schema.category.split("/").at(-1)}</span>
            </div>
          ))}
          {found.length === 0 && <p className="none">No node is called that.</p>}
        </div>
        {chosen !== undefined && <About found={chosen} />}
      </div>
    </div>
  );
}

function close(): void {
  useView.setState({ palette: null });
}

function Marked({ text, marks }: { text: string; marks: readonly number[] }) {
  if (marks.length === 0) return text;
  const set = new Set(marks);
  return Array.from(text).map((letter, index) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: letters have no other name than their place
    set.has(index) ? <b key={index}>{letter}</b> : letter,
  );
}

function About({ found: { schema } }: { found: Found }) {
  const [summary, ...more] = schema.description.split("\n\n");
  return (
    <aside className="about">
      <h3>{schema.display_name}</h3>
      {summary && <p>{summary}</p>}
      {more.length > 0 && <p className="more">{more.join(" ")}</p>}
      <dl>
        {schema.inputs
          .filter((each) => each.section !== "hidden")
          .slice(0, 8)
          .map((each) => (
            <Line key={each.name} name={each.name} type={each.type} />
          ))}
      </dl>
      {schema.outputs.length > 0 && (
        <dl className="outputs">
          {schema.outputs.map((each) => (
            <Line key={each.name} name={each.name} type={each.type} />
          ))}
        </dl>
      )}
    </aside>
  );
}

function Line({ name, type }: { name: string; type: string }) {
  return (
    <div>
      <i
        className={`sample ${familyOf(type)}`}
        style={{ "--colour": colourOf(type) } as React.CSSProperties}
      />
      <dt>{name}</dt>
      <dd>{type.toLowerCase()}</dd>
    </div>
  );
}

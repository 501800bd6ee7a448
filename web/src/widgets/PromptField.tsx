/**
 * A prompt field. Ctrl and the arrow keys change the weight of the word, the selection or the
 * brackets at the caret; typing offers completions; matching brackets are marked. All changes go
 * through the browser's own editing, so that the field's undo works.
 */
import {
  Fragment,
  type KeyboardEvent,
  type RefObject,
  Suspense,
  useEffect,
  useId,
  useRef,
  useState,
  type WheelEvent,
} from "react";
import { useChoiceEffects } from "./choiceEffects";
import { marksOf, piecesOf, type Typed, wordsBefore } from "./marks";
import { part } from "./part";
import { type Completion, useFieldServices } from "./services";
import { type Replacement, reweighted } from "./weights";

const Completions = part(() => import("./Completions").then((all) => all.Completions));

interface Props {
  /** The key of the node, if there is one, and the name of the input. */
  owner: string | undefined;
  name: string;
  label: string;
  value: string;
  placeholder: string;
  /** Enables weights, completion and brackets; without it the field is plain text. */
  prompt: boolean;
  onChange: (value: string) => void;
  onDone: () => void;
}

const WEIGHT_STEP = 0.1;
const FINE_WEIGHT_STEP = 0.05;

export function PromptField(props: Props) {
  const { label, value, placeholder, prompt, onChange, onDone } = props;
  const area = useRef<HTMLTextAreaElement>(null);
  const place = useRef<HTMLSpanElement>(null);
  const [caret, setCaret] = useState<number | null>(null);
  const completing = useCompletions(prompt ? value : "", caret, props.owner, props.name);
  const { choose, followed } = useChoosing(area, completing.dismiss, onDone);
  const id = useId();
  const key = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (completing.key(event, choose)) return;
    if (prompt && weigh(event)) event.preventDefault();
  };
  const follow = () => {
    const { current } = area;
    if (current === null || document.activeElement !== current) return;
    setCaret(current.selectionStart === current.selectionEnd ? current.selectionStart : null);
  };
  const open = completing.found.length > 0 && place.current !== null;
  return (
    <div className="prompt">
      {prompt && caret !== null && (
        <Marks text={value} caret={caret} from={completing.from} area={area} place={place} />
      )}
      <textarea
        ref={area}
        className="field area"
        aria-label={label}
        aria-autocomplete="list"
        aria-controls={open ? id : undefined}
        aria-activedescendant={open ? `${id}-${completing.at}` : undefined}
        spellCheck={false}
        placeholder={placeholder}
        value={value}
        onChange={({ currentTarget, nativeEvent }) => {
          if (!followed(nativeEvent, value, currentTarget.value)) onChange(currentTarget.value);
        }}
        onSelect={follow}
        onKeyDown={key}
        onWheel={scrollOwnText}
        onBlur={() => {
          setCaret(null);
          onDone();
        }}
      />
      <Name label={label} />
      {open && place.current !== null && (
        <Suspense>
          <Completions
            id={id}
            anchor={place.current}
            found={completing.found}
            at={completing.at}
            onClose={() => completing.dismiss(value)}
            onChoose={(found) => choose(found, completing.from ?? 0)}
          />
        </Suspense>
      )}
    </div>
  );
}

/** Visible, unlike a placeholder, while the field has a text. */
function Name({ label }: { label: string }) {
  return (
    <span className="prompt-name" aria-hidden>
      {label}
    </span>
  );
}

/**
 * Choosing a completion. Its other effects are an undo step of their own, and undo in the field
 * reverts both.
 */
function useChoosing(
  area: RefObject<HTMLTextAreaElement | null>,
  dismiss: (text: string) => void,
  onDone: () => void,
) {
  const steps = useChoiceEffects();
  const choose = (found: Completion, from: number) => {
    if (area.current === null) return;
    const before = area.current.value;
    const taken = found.choose?.() ?? null;
    completed(area.current, found, from);
    const after = area.current.value;
    dismiss(after);
    if (taken === null) return;
    onDone();
    steps.note(before, after, taken);
  };
  return { choose, followed: steps.follow };
}

/**
 * The wheel scrolls the field only if the text has the focus and is longer than its box; otherwise
 * the canvas gets it.
 */
function scrollOwnText(event: WheelEvent<HTMLTextAreaElement>): void {
  const { currentTarget: area } = event;
  if (document.activeElement === area && area.scrollHeight > area.clientHeight) {
    event.stopPropagation();
  }
}

function weigh(event: KeyboardEvent<HTMLTextAreaElement>): boolean {
  const up = event.key === "ArrowUp";
  if (!(event.ctrlKey || event.metaKey) || !(up || event.key === "ArrowDown")) return false;
  const { value, selectionStart, selectionEnd } = event.currentTarget;
  const step = event.shiftKey ? FINE_WEIGHT_STEP : WEIGHT_STEP;
  const change = reweighted(value, selectionStart, selectionEnd, up ? step : -step);
  if (change !== null) replace(event.currentTarget, change);
  return true;
}

/** Replaces text as if it were typed: only then can the field's own undo revert it. */
function replace(area: HTMLTextAreaElement, { from, to, text, select }: Replacement): void {
  area.focus();
  area.setSelectionRange(from, to);
  if (text === "") document.execCommand("delete");
  else document.execCommand("insertText", false, text);
  area.setSelectionRange(...select);
}

function completed(area: HTMLTextAreaElement, found: Completion, from: number): void {
  const text = found.insert ?? found.text;
  const end = from + text.length;
  replace(area, { from, to: area.selectionEnd, text, select: [end, end] });
}

interface MarksProps {
  text: string;
  caret: number;
  /** The start of the word that is being completed. */
  from: number | null;
  area: RefObject<HTMLTextAreaElement | null>;
  place: RefObject<HTMLSpanElement | null>;
}

/** The same text behind the field, invisible except for its marks; also used to locate a word. */
function Marks({ text, caret, from, area, place }: MarksProps) {
  const marks = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const { current } = area;
    const follow = () => {
      if (marks.current !== null && current !== null) marks.current.scrollTop = current.scrollTop;
    };
    follow();
    current?.addEventListener("scroll", follow);
    return () => current?.removeEventListener("scroll", follow);
  });
  const cut = from ?? text.length;
  const pieces = (part: string, at: number) =>
    piecesOf(part, marksWithin(text, caret, at, at + part.length)).map(
      ({ text: piece, kind }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a text are identified by their index
        <Fragment key={index}>
          {kind === null ? piece : <mark className={kind}>{piece}</mark>}
        </Fragment>
      ),
    );
  return (
    <div ref={marks} className="field area marks" aria-hidden="true">
      {pieces(text.slice(0, cut), 0)}
      <span ref={place} />
      {pieces(text.slice(cut), cut)}{" "}
    </div>
  );
}

function marksWithin(text: string, caret: number, from: number, to: number) {
  return marksOf(text, caret)
    .filter((each) => each.from >= from && each.to <= to)
    .map((each) => ({ ...each, from: each.from - from, to: each.to - from }));
}

const NOTHING: readonly Completion[] = [];

interface Completing {
  typed: Typed | null;
  found: readonly Completion[];
}

const NOT_COMPLETING: Completing = { typed: null, found: NOTHING };

function useCompletions(
  text: string,
  caret: number | null,
  node: string | undefined,
  input: string,
) {
  const services = useFieldServices();
  const [{ typed, found }, setCompleting] = useState(NOT_COMPLETING);
  const [at, setAt] = useState(0);
  /**
   * The list was entered with the arrow keys: before that, Enter adds a new line, as in any text.
   */
  const [walked, setWalked] = useState(false);
  /** The text for which completions were dismissed. */
  const [dismissed, setDismissed] = useState<string | null>(null);
  useEffect(() => {
    let stale = false;
    setAt(0);
    setWalked(false);
    const look = async () => {
      const before = caret === null ? [] : wordsBefore(text, caret);
      const place = node === undefined ? null : { node, input };
      for (const each of before) {
        const all = await services.complete(each.word, place);
        if (stale) return;
        if (all.length > 0) {
          setCompleting({ typed: each, found: all });
          return;
        }
      }
      if (!stale) setCompleting(NOT_COMPLETING);
    };
    look().catch(services.complain);
    return () => {
      stale = true;
    };
  }, [text, caret, services, node, input]);
  const before = typed;
  // Completions for an earlier text are not shown for this one.
  const fresh = typed !== null && caret === typed.from + typed.word.length;
  const shown = !fresh || text === dismissed ? NOTHING : found;
  const key = (event: KeyboardEvent, choose: (found: Completion, from: number) => void) => {
    const chosen = shown[at];
    if (chosen === undefined || before === null || event.ctrlKey || event.metaKey) return false;
    const step = { ArrowDown: 1, ArrowUp: shown.length - 1 }[event.key];
    if (step !== undefined) {
      setAt((at + step) % shown.length);
      setWalked(true);
    } else if (takes(event, walked)) choose(chosen, before.from);
    else if (event.key === "Escape") setDismissed(text);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  return { found: shown, at, from: before?.from ?? null, key, dismiss: setDismissed };
}

function takes({ key, shiftKey }: KeyboardEvent, walked: boolean): boolean {
  return !shiftKey && (key === "Tab" || (key === "Enter" && walked));
}

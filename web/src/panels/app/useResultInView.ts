/**
 * On a phone the results are below the form: results of a run are scrolled into view once when the
 * first image is there, and once when the run has ended; not while the user is typing.
 */
import { type RefObject, useCallback, useEffect, useRef } from "react";
import { runOf, useRuns } from "../../state/outcomes/runs";
import { useTab } from "../../state/session/editor";
import { animationDuration } from "../../state/session/motion";

interface ResultInView {
  /** The element with the results. */
  stage: RefObject<HTMLDivElement | null>;
  /** An image has loaded and has its final size. */
  onPicture: () => void;
  /** The user has focused a field or is typing in it. */
  onTyping: () => void;
  onTyped: () => void;
}

export function useResultInView(): ResultInView {
  const stage = useRef<HTMLDivElement>(null);
  const tab = useTab((each) => each.id);
  const runs = useRuns((state) => runOf(state, tab) !== null);
  const pressed = useRuns((state) => state.sending);
  const due = useRef(false);
  const typing = useRef(false);
  const ran = useRef<string | null>(null);

  const bring = useCallback(() => {
    if (typing.current) return;
    const behavior = animationDuration() === 0 ? "instant" : "smooth";
    stage.current?.scrollIntoView({ block: "nearest", behavior });
  }, []);

  useEffect(() => {
    // After starting a run from a field, results may be scrolled into view until the next key
    // press.
    if (pressed) typing.current = false;
  }, [pressed]);

  useEffect(() => {
    due.current = runs;
    if (runs) {
      ran.current = tab;
    } else if (ran.current === tab) {
      ran.current = null;
      // Its image may have arrived already, or arrive after this.
      due.current = true;
      bring();
    }
  }, [runs, tab, bring]);

  return {
    stage,
    onPicture: () => {
      if (due.current) bring();
      due.current = false;
    },
    onTyping: () => {
      typing.current = true;
    },
    onTyped: () => {
      typing.current = false;
    },
  };
}

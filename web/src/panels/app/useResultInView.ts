/**
 * On a phone the results lie below the form: what a run makes is brought into view, once when its
 * first picture is there and once when it has ended; not while somebody types meanwhile.
 */
import { type RefObject, useCallback, useEffect, useRef } from "react";
import { animationDuration } from "../../state/motion";
import { useRuns } from "../../state/runs/runs";
import { useActive } from "../../state/studio";

interface ResultInView {
  /** Where the results are. */
  stage: RefObject<HTMLDivElement | null>;
  /** A picture is there, and as large as it will be. */
  onPicture: () => void;
  /** Somebody goes into a field, or types there. */
  onTyping: () => void;
  onTyped: () => void;
}

export function useResultInView(): ResultInView {
  const stage = useRef<HTMLDivElement>(null);
  const tab = useActive((each) => each.id);
  const runs = useRuns((state) => state.running?.tab === tab);
  const pressed = useRuns((state) => state.sending);
  const due = useRef(false);
  const typing = useRef(false);
  const ran = useRef<string | null>(null);

  const bring = useCallback(() => {
    if (typing.current) return;
    const behavior = animationDuration(1) === 0 ? "instant" : "smooth";
    stage.current?.scrollIntoView({ block: "nearest", behavior });
  }, []);

  useEffect(() => {
    // Whoever runs from a field looks at the result, until the next letter.
    if (pressed) typing.current = false;
  }, [pressed]);

  useEffect(() => {
    due.current = runs;
    if (runs) {
      ran.current = tab;
    } else if (ran.current === tab) {
      ran.current = null;
      // Its picture may have come already, or come after this.
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

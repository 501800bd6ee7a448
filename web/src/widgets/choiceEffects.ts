/**
 * Completions with effects besides their text: when the field's own undo reverts the text, the
 * effects are reverted with it. Compares only the texts before and after.
 */
import { type RefObject, useRef } from "react";
import type { ChoiceEffect } from "./services";

interface Step {
  before: string;
  after: string;
  taken: ChoiceEffect;
  undone: boolean;
}

interface Steps {
  /** Records that a completion changed the text. */
  note: (before: string, after: string, taken: ChoiceEffect) => void;
  /**
   * Whether a change of the text was exactly the undo or redo of a completion, whose effects were
   * then undone or redone, too.
   */
  follow: (event: Event, before: string, after: string) => boolean;
}

export function useChoiceEffects(): Steps {
  const steps: RefObject<Step[]> = useRef([]);
  return {
    note: (before, after, taken) => {
      const living = steps.current.filter((each) => !each.undone);
      steps.current = [...living, { before, after, taken, undone: false }];
    },
    follow: (event, before, after) => {
      const kind = event instanceof InputEvent ? event.inputType : "";
      if (kind === "historyUndo") {
        const step = steps.current.findLast((each) => !each.undone && each.before === after);
        if (step === undefined || !step.taken.undo()) return false;
        step.undone = true;
        return true;
      }
      if (kind !== "historyRedo") return false;
      const step = steps.current.find((each) => each.undone && each.before === before);
      if (step === undefined || !step.taken.redo()) return false;
      step.undone = false;
      return step.after === after;
    },
  };
}

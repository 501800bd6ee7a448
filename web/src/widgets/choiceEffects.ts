/**
 * Choices that did more than put text into a box: where the box's own undo takes their text back,
 * what they did is taken back with it. Knows only the texts before and after.
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
  /** Notes that the text became what it is by a choice. */
  note: (before: string, after: string, taken: ChoiceEffect) => void;
  /** Whether a change of the text was the undo or the redo of a choice, and all of it. */
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

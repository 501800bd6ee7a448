/** Live regions for screen readers: they announce what happens, and are not visible. */
import { useEffect } from "react";
import { announceAll, useAnnouncements } from "../state/outcomes/announcements";

export function Announcer() {
  const lines = useAnnouncements((state) => state.lines);
  useEffect(announceAll, []);
  return (
    <div className="unseen" role="log" aria-live="polite" aria-relevant="additions">
      {lines.map(({ id, text }) => (
        <p key={id}>{text}</p>
      ))}
    </div>
  );
}
